# A static binary in an empty image, run by a user without rights.
#
#     docker build -t bridgecore .
#     docker run -p 8000:8000 -v bridgecore:/data bridgecore
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/bridgecore ./cmd/bridgecore && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
COPY --from=build /out/bridgecore /bridgecore
COPY --from=build --chown=65532:65532 /out/data /data
ENV ZONEINFO=/zoneinfo.zip BRIDGECORE_DATA_DIR=/data HOST=0.0.0.0 PORT=8000
USER 65532:65532
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/bridgecore", "health"]
ENTRYPOINT ["/bridgecore"]
CMD ["serve"]
