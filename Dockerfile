# One image for flows, stages, scoring and tests: the same lock as everywhere, no root.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /src
COPY requirements.lock ./
RUN awk '/^uv==/{on=1} on{print} on&&!/\\$/{exit}' requirements.lock > /tmp/uv.lock \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r /tmp/uv.lock \
    && VIRTUAL_ENV=/opt/venv /opt/venv/bin/uv pip sync --no-cache --require-hashes --compile-bytecode requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY autorec_core autorec_core
COPY flows flows
RUN VIRTUAL_ENV=/opt/venv /opt/venv/bin/uv pip install --offline --no-cache --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
# DVC keeps its state in a git work tree.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 autorec \
    && install -d -o autorec /state /artifacts
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Below /tmp, which can be written (a tmpfs) where the rest of the image is read-only.
ENV DVC_SITE_CACHE_DIR=/tmp/dvc PREFECT_SERVER_UI_STATIC_DIRECTORY=/tmp/dashboard
# The workspace is mounted here: a clone of the project, owned by the user that runs it.
USER autorec
WORKDIR /workspace
ENTRYPOINT ["autorec"]
CMD ["--help"]
