# One image for each command: docker build --target api (or worker, admin, sandbox) .
# No image holds another's program: what cannot send has no vendor's code, and nothing plays a vendor in production.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Source maps of the queues dashboard, for those who change it, are four fifths of it.
RUN go mod vendor && find vendor/github.com/hibiken/asynqmon/ui -name '*.map' -delete
# PostgreSQL is the database of every deployment, so SQLite stays out.
RUN CGO_ENABLED=0 go build -trimpath -tags=nosqlite -ldflags="-s -w" -o /out/ ./cmd/api ./cmd/worker ./cmd/admin ./cmd/sandbox

# It has certificates of authorities, time zones and a user without rights, and no shell.
FROM gcr.io/distroless/static-debian12:nonroot AS base
# A number, because Kubernetes cannot tell from a name that it is not root's.
USER 65532:65532

FROM base AS sandbox
COPY --from=build /out/sandbox /sandbox
EXPOSE 8083 1025
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s CMD ["/sandbox", "-health", "-http", "127.0.0.1:8083"]
ENTRYPOINT ["/sandbox"]

FROM base AS admin
COPY --from=build /out/admin /admin
HEALTHCHECK NONE
ENTRYPOINT ["/admin"]
CMD ["help"]

FROM base AS worker
COPY --from=build /out/worker /worker
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/worker", "-health"]
ENTRYPOINT ["/worker"]

FROM base AS api
COPY --from=build /out/api /api
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/api", "-health"]
ENTRYPOINT ["/api"]
