# Stands in for nginx' image where no registry is reached: Debian's server, as a user without rights.
ARG PYTHON_IMAGE=python:3.13.12-slim-trixie
FROM ${PYTHON_IMAGE}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends nginx-light curl && rm -rf /var/lib/apt/lists/*
USER www-data
CMD ["nginx", "-g", "daemon off;"]
