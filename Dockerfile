# One image for flows, stages, scoring and serving: versions and hashes of the lock, no root.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install -y --no-install-recommends binutils
# The build tools, uv and hatchling, are in /opt/tools, which is not copied into the image. The lock pins them too.
RUN python -m venv /opt/tools && python -m venv /opt/venv
ENV PATH=/opt/tools/bin:$PATH
WORKDIR /src
COPY requirements.lock pyproject.toml ./
# The lock holds the packages for tests and documentation too. Given as a constraint it decides version and
# hash of each package that AutoRec needs, and uv refuses a package that the lock does not have.
RUN awk '/^uv==/{on=1} on{print} on&&!/\\$/{exit}' requirements.lock > /tmp/uv.lock \
    && pip install --no-cache-dir --no-deps --require-hashes -r /tmp/uv.lock \
    && uv pip install --python /opt/tools --no-cache --require-hashes -c requirements.lock \
        "$(grep -o '^hatchling==[^ ]*' requirements.lock)" \
    && uv pip install --python /opt/venv --no-cache --require-hashes -c requirements.lock -r pyproject.toml
# Left out: headers and symbols for C++ programs, the compiler that TensorFlow's own build uses, and
# the tests of packages. Libraries in *.libs were edited after they were linked; strip would break them.
# Bytecode is made now: the root is read-only later.
RUN cd /opt/venv/lib/python3.12/site-packages \
    && rm -r tensorflow/include clang/native \
    && find dask distributed matplotlib networkx numpy pandas pyarrow scipy sklearn \
        -depth -type d -name tests -exec rm -r {} + \
    && find . -name '*.so*' -type f -not -path '*.libs/*' -exec strip {} + \
    && /opt/venv/bin/python -m compileall -q -j 0 .
COPY README.md LICENSE ./
COPY autorec_core autorec_core
COPY flows flows
RUN uv build --python /opt/tools --wheel --no-build-isolation --offline --no-cache -o /tmp/wheel \
    && uv pip install --python /opt/venv --offline --no-cache --no-deps --compile-bytecode /tmp/wheel/*.whl

FROM python:3.12-slim-bookworm
# DVC keeps its state in a git work tree.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 autorec \
    && install -d -o autorec /state /artifacts
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# /tmp is a tmpfs: it can be written although the rest of the image is read-only.
ENV HOME=/tmp PREFECT_HOME=/tmp/prefect DVC_SITE_CACHE_DIR=/tmp/dvc \
    PREFECT_SERVER_UI_STATIC_DIRECTORY=/tmp/dashboard
# The workspace is mounted here: a clone of the project, owned by the user that runs the container.
USER autorec
WORKDIR /workspace
ENTRYPOINT ["autorec"]
CMD ["--help"]
