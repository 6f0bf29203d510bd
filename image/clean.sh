#!/bin/bash
# clean.sh: the last command of a build step: takes out what tells one build from the next, and
# nothing needs. docs/why/image.md says how each was found.
#
# Dates are clamped to SOURCE_DATE_EPOCH where that is set, as rewrite-timestamp does with files.
set -euo pipefail

# Logs say when each package was unpacked; lastlog and wtmp are written by useradd.
find /var/log -type f -delete
# Caches of apt; of ldconfig, which holds inode numbers and times.
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache
# Copies of what was there before the last change: one package sooner or later, and they differ.
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/{passwd,shadow,group,gshadow,subuid,subgid}-

# Empty, so that each container that wants one makes its own: machine-id(5).
for file in /etc/machine-id /var/lib/dbus/machine-id; do
    [[ ! -s $file ]] || : > "$file"
done

# The third field of a password is the day on which it was set, counted from 1970.
if [[ -n ${SOURCE_DATE_EPOCH-} && -f /etc/shadow ]]; then
    day=$((SOURCE_DATE_EPOCH / 86400))
    awk -F: -v OFS=: -v day="$day" '$3 != "" && $3 > day { $3 = day } { print }' /etc/shadow > /etc/shadow.new
    # Over the file, which keeps its owner, group and mode; and only if there is a change.
    cmp -s /etc/shadow.new /etc/shadow || cat /etc/shadow.new > /etc/shadow
    rm /etc/shadow.new
fi

# What a step leaves in a folder for temporary files is in the image for good. What the build has
# mounted there cannot be removed, and is no part of the layer.
for file in /tmp/* /tmp/.[!.]* /var/tmp/*; do
    [[ ! -e $file ]] || grep -qF " $file " /proc/self/mountinfo || rm -rf -- "$file"
done
