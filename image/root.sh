# shellcheck shell=sh
# Sourced by shells and by seed-init: root that came in from outside has a home of its own.
#
# The image's HOME holds for every user, so with `docker exec --user 0` root would run what the
# container's user has left there: .bashrc, a .pth file of Python's user site, IPython's start-up
# files, git's configuration. It would write its history there, too, through a link perhaps.
# Where the container itself runs as root (its process 1 does), the home is root's.
# shellcheck disable=SC3067  # -O: the image's sh is dash, which has it
if [ "$(id -u)" = 0 ] && [ ! -O /proc/1 ] && [ ! -O "${HOME:-/}" ]; then
    export HOME=/root USER=root
    [ -z "${HISTFILE-}" ] || HISTFILE=/root/.bash_history
fi
