# The default pool's image where DOCKER_BUILD_IMAGE is true: GitHub's runner and what jobs commonly expect besides. It
# has git, curl, jq, unzip, sudo and the Docker client already. Put what your jobs need here, and no secret: whoever
# runs a job can read all of it.
ARG RUNNER=ghcr.io/actions/actions-runner:latest
FROM ${RUNNER}
USER root
# zstd is what actions/cache compresses with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        build-essential git-lfs openssh-client python3 python3-venv rsync wget xz-utils zip zstd \
    && rm -rf /var/lib/apt/lists/*
USER runner
