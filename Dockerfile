# The image of a release: goreleaser puts the program that it has built, by
# platform, and the licences beside this file. To build it by hand:
#   mkdir -p linux/amd64 && CGO_ENABLED=0 go build -trimpath -o linux/amd64/disteval ./cmd/disteval
#   docker build .
# glibc is there for NVML, a shell for the jobs of CI services.
FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS files
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && mkdir /work

FROM debian:bookworm-slim
ARG TARGETPLATFORM
COPY --from=files /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=files --chown=65532:65532 /work /work
COPY LICENSE NOTICE /usr/share/doc/disteval/
COPY $TARGETPLATFORM/disteval /usr/local/bin/disteval
USER 65532:65532
WORKDIR /work
ENV HOME=/work
ENTRYPOINT ["disteval"]
