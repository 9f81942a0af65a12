# Stands in for Redis' image where no registry is reached: Debian's server, the same user and folder.
ARG PYTHON_IMAGE=python:3.13.12-slim-trixie
FROM ${PYTHON_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends redis-server redis-tools && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=redis --group=redis /data
WORKDIR /data
USER redis
CMD ["redis-server"]
