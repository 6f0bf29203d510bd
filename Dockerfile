# seed_init: PyTorch in which every Python process is seeded from SEED before user code runs.
#
#   docker build --target runtime  -t seed-init:2.6.0-cuda11.8-cudnn9 .
#   docker build --target notebook -t seed-init:2.6.0-cuda11.8-cudnn9-notebook .   (default)
#   docker build --target ssh      -t seed-init:2.6.0-cuda11.8-cudnn9-ssh .
#
# No `# syntax=` line: the frontend that every BuildKit carries is enough, and a build then
# needs no registry but the base's.

ARG BASE_DIGEST=sha256:2428b92ebbaeceba5572b98c18c8a94e43162bead6e88588ad54471147c58a20
ARG BASE_IMAGE=pytorch/pytorch:2.6.0-cuda11.8-cudnn9-runtime@${BASE_DIGEST}

# A company's mirror, perhaps; the hashes hold anyway. Handed on under a second name, because a
# variable PIP_INDEX_URL of the base's would win over an argument of that name.
ARG PIP_INDEX_URL=https://pypi.org/simple
ARG SEED_INIT_INDEX_URL=${PIP_INDEX_URL}

# ---------------------------------------------------------------------------------------
FROM ${BASE_IMAGE} AS runtime

ARG BASE_IMAGE
ARG BASE_DIGEST
ARG EXPECT_TORCH=2.6.0
ARG EXPECT_CUDA=11.8
ARG EXPECT_CUDNN=9

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

USER root

# First, because everything else is for nothing on the wrong base.
RUN --mount=type=bind,source=image/check_base.py,target=/tmp/check_base.py \
    BASE_IMAGE="${BASE_IMAGE}" BASE_DIGEST="${BASE_DIGEST}" EXPECT_TORCH="${EXPECT_TORCH}" \
    EXPECT_CUDA="${EXPECT_CUDA}" EXPECT_CUDNN="${EXPECT_CUDNN}" \
    PYTHONDONTWRITEBYTECODE=1 python /tmp/check_base.py /usr/local/share/seed_init/image.json

# image/apt/apt.in says which and what for, image/apt/apt.lock which versions.
ARG APT_LOCK
RUN --mount=type=bind,source=image/apt,target=/mnt/apt \
    --mount=type=bind,source=image/clean.sh,target=/mnt/clean.sh \
    PYTHONDONTWRITEBYTECODE=1 python /mnt/apt/install.py runtime && bash /mnt/clean.sh

# The hook, into the stdlib directory of the image's Python: the one place that every virtual
# environment made from it keeps. The installer compiles it.
RUN --mount=type=bind,source=seed_init,target=/tmp/hook/seed_init \
    SEED_INIT=0 PYTHONDONTWRITEBYTECODE=1 python /tmp/hook/seed_init install

COPY image/defaults /etc/seed_init/defaults
COPY --chmod=755 image/seed-init entrypoint/seed-init-entrypoint /usr/local/bin/
COPY --chmod=644 image/root.sh /usr/local/share/seed_init/

# Debian's /etc/profile sets PATH anew: a login shell (JupyterLab's terminals are) would lose
# the base's Python.
# An activated virtual environment stays in front.
RUN bin=$(dirname "$(command -v python)") \
    && echo "case :\$PATH: in *:$bin:*) ;; *) PATH=$bin:\$PATH ;; esac" \
        > /etc/profile.d/seed-init.sh

# Root's home comes before all that is read or asked from a home: bash looks for ~/.bashrc and
# ~/.profile after these files.
RUN root='[ ! -r /usr/local/share/seed_init/root.sh ] || . /usr/local/share/seed_init/root.sh' \
    && echo "$root" >> /etc/profile.d/seed-init.sh \
    && sed -i "1i $root" /etc/bash.bashrc

# A person at a shell sees which seed holds. Login shells say it from profile.d, after PATH: for a
# user without a passwd entry /etc/profile does not read bash.bashrc (bash then takes itself for
# /bin/sh). The rest of that file stays the distribution's.
COPY image/login.sh /etc/seed_init/login.sh
RUN run='[ ! -r /etc/seed_init/login.sh ] || . /etc/seed_init/login.sh' \
    && echo "shopt -q login_shell || $run" >> /etc/bash.bashrc \
    && echo "[ -z \"\${BASH_VERSION-}\" ] || $run" >> /etc/profile.d/seed-init.sh

# The time of the commit, in seconds: `make image` passes it. From here on, and not above, because
# a step runs anew when it changes.
ARG SOURCE_DATE_EPOCH

# Group 0 may write the home and /workspace: an arbitrary --user is in it. Nothing that the
# image needs is in either, so that a volume may hide them.
RUN --mount=type=bind,source=image/clean.sh,target=/mnt/clean.sh \
    useradd --uid 1000 --gid 0 --create-home --shell /bin/bash jovyan \
    && mkdir -p /etc/seed_init/entrypoint.d /workspace \
    && chown 1000:0 /workspace \
    && chmod -R g=u /home/jovyan \
    && chmod g=u /workspace \
    && bash /mnt/clean.sh

# What is in the image, for the label below; a stage that installs more writes it anew.
RUN --mount=type=bind,source=image/sbom.py,target=/mnt/sbom.py \
    SEED_INIT=0 PYTHONDONTWRITEBYTECODE=1 python /mnt/sbom.py /usr/local/share/seed_init/sbom.cdx.json

# PYTHONHASHSEED must be there before an interpreter starts; hash order is no statistical
# generator, so one constant serves every seed. No SEED here, ever: under Slurm's pyxis the
# image's ENV wins over the job's, which would defeat a seed per job (its default is in
# /etc/seed_init/defaults). HOME and USER: an arbitrary --user has no passwd entry.
ENV PYTHONHASHSEED=0 \
    LANG=C.UTF-8 \
    LC_ALL=C.UTF-8 \
    HOME=/home/jovyan \
    USER=jovyan \
    SHELL=/bin/bash

WORKDIR /workspace
USER 1000:0
ENTRYPOINT ["tini", "-g", "--", "seed-init-entrypoint"]
CMD ["bash"]

RUN --mount=type=bind,source=image/selftest.py,target=/tmp/selftest.py \
    PYTHONDONTWRITEBYTECODE=1 python /tmp/selftest.py

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="seed-init" \
      org.opencontainers.image.description="PyTorch in which every Python process is seeded from SEED" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      io.seed-init.sbom="/usr/local/share/seed_init/sbom.cdx.json"

# The shell of this build is not that of the images built FROM it, nor of their CMD.
SHELL ["/bin/sh", "-c"]

# ---------------------------------------------------------------------------------------
FROM runtime AS notebook

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

USER root

# JupyterLab's server has an environment of its own, made from the base's Python: what a team
# installs into the base cannot break the server, and the server's packages replace none of the
# base's, in which conda itself may run. `pip --python /opt/jupyter install` adds an extension.
# Hashes for every package, and no resolving: torch, numpy and the nvidia packages are the
# base's and have to stay. The kernel names the base's Python by its path: Jupyter takes a mere
# "python" for the server's own. share/jupyterhub: pages that only a Hub itself serves, half of
# what jupyterhub would add. galata: what JupyterLab's own browser tests need.
# SOURCE_DATE_EPOCH, whatever its value: with it pip compiles to files that hold the source's hash
# in place of its time (py_compile).
ARG SEED_INIT_INDEX_URL
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=requirements/server.txt,target=/tmp/server.txt \
    --mount=type=bind,source=requirements/libraries.txt,target=/tmp/libraries.txt \
    --mount=type=bind,source=image/install_notebook.py,target=/tmp/install_notebook.py \
    --mount=type=bind,source=image/pinned.py,target=/tmp/pinned.py \
    export PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-315532800}" \
        INDEX_URL="${SEED_INIT_INDEX_URL}" \
    && python /tmp/pinned.py list > /tmp/before.json \
    && python -I -m venv --without-pip /opt/jupyter \
    && python -I /tmp/install_notebook.py /opt/jupyter /tmp/server.txt /tmp/libraries.txt \
        /usr/local/share/seed_init/image.json \
    && rm -r /opt/jupyter/share/jupyterhub /opt/jupyter/lib/python3*/site-packages/jupyterlab/galata \
    && IPYTHONDIR=/tmp/ipython python -I -m ipykernel install --prefix=/usr/local --name=python3 \
        > /dev/null \
    && rm -rf /tmp/ipython \
    && ln -s /opt/jupyter/bin/jupyter* /usr/local/bin/ \
    && python /tmp/pinned.py check /tmp/before.json \
    && rm /tmp/before.json

COPY image/jupyter_server_config.py image/jupyter_config.py /etc/jupyter/
# A file of its own: a list of extensions in the user's configuration leaves this one in.
COPY image/server_extensions.json /etc/jupyter/jupyter_server_config.d/seed_init.json
# No node in the image: JupyterLab cannot rebuild itself and need not ask at every page. Nor need
# a page ask, in every new container again, whether to look for news; the packages are pinned.
COPY image/page_config.json image/default_setting_overrides.json /etc/jupyter/labconfig/
COPY image/ipython_config.py /etc/ipython/
COPY image/welcome.ipynb /usr/local/share/seed_init/examples/
COPY --chmod=755 entrypoint/seed-init-notebook entrypoint/seed-init-healthcheck /usr/local/bin/

RUN --mount=type=bind,source=image/sbom.py,target=/mnt/sbom.py \
    SEED_INIT=0 PYTHONDONTWRITEBYTECODE=1 python /mnt/sbom.py /usr/local/share/seed_init/sbom.cdx.json

USER 1000:0
EXPOSE 8888
CMD ["seed-init-notebook"]

RUN --mount=type=bind,source=image/selftest.py,target=/tmp/selftest.py \
    PYTHONDONTWRITEBYTECODE=1 python /tmp/selftest.py ipykernel pandas sklearn matplotlib tqdm

SHELL ["/bin/sh", "-c"]

# ---------------------------------------------------------------------------------------
# On notebook: VS Code, which comes over SSH, runs notebooks with ipykernel.
FROM notebook AS ssh

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

USER root

# The host keys that the package makes would be the same in every container of the image.
ARG APT_LOCK
ARG SOURCE_DATE_EPOCH
RUN --mount=type=bind,source=image/apt,target=/mnt/apt \
    --mount=type=bind,source=image/clean.sh,target=/mnt/clean.sh \
    --mount=type=bind,source=image/sbom.py,target=/mnt/sbom.py \
    export SEED_INIT=0 PYTHONDONTWRITEBYTECODE=1 \
    && python /mnt/apt/install.py ssh \
    && rm -f /etc/ssh/ssh_host_* \
    && bash /mnt/clean.sh \
    && python /mnt/sbom.py /usr/local/share/seed_init/sbom.cdx.json

COPY --chmod=755 entrypoint/seed-init-ssh /usr/local/bin/
COPY --chmod=644 entrypoint/ssh_keys.py /usr/local/share/seed_init/

# Where the first start puts the host key. A new volume takes owner and mode from here, and
# group 0 may write, because an arbitrary --user is in it.
RUN mkdir /etc/seed_init/ssh \
    && chown 1000:0 /etc/seed_init/ssh \
    && chmod 770 /etc/seed_init/ssh

USER 1000:0
EXPOSE 2222
CMD ["seed-init-ssh"]

SHELL ["/bin/sh", "-c"]

# ---------------------------------------------------------------------------------------
# The last stage is what `docker build .` makes: the notebook, nothing added.
FROM notebook
