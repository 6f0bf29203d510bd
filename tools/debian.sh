#!/usr/bin/env bash
# debian.sh: apt for the scripts here that install from Debian, which source this file. They
# define die().

readonly debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# apt_get ...: quiet unless it fails, and never a question.
apt_get() {
    local output
    output=$(DEBIAN_FRONTEND=noninteractive \
        apt-get "$@" -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 2>&1) \
        || die "apt-get $1 failed: $(grep -m 1 '^E:' <<< "$output" || tail -n 1 <<< "$output")"
}

# Once a run, and only in a run that installs something.
package_lists_are_fresh=
refresh_package_lists() {
    [[ -z $package_lists_are_fresh ]] || return 0
    apt_get update
    package_lists_are_fresh=yes
}

# candidate PACKAGE: the upstream version apt would install; nothing if it knows none.
candidate() {
    LC_ALL=C apt-cache policy "$1" \
        | awk '$1 == "Candidate:" && $2 != "(none)" { sub(/^[0-9]+:/, "", $2); print $2 }'
}

# The archive that this host gets Debian from; it has the donor suite too.
debian_mirror() {
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' 'Created-By: Packages' \
        | awk '$1 == "Debian/Debian" { print $2; exit }'
}

# use_suite SUITE DIRECTORY: make DIRECTORY/apt.conf, with which apt works as if this were a
# system of SUITE, and fetch its package lists. The host's own sources, pins and lists stay out
# of it, and stay as they are.
use_suite() {
    [[ -r $debian_keyring ]] || die "$debian_keyring is missing: install debian-archive-keyring"
    local mirror kind
    mirror=$(debian_mirror)
    [[ -n $mirror ]] || die "no Debian archive in this host's apt sources to fetch from"
    mkdir -p -- "$2/lists" "$2/cache"
    for kind in deb deb-src; do
        printf '%s [signed-by=%s] %s %s main\n' "$kind" "$debian_keyring" "$mirror" "$1"
    done > "$2/sources.list"
    # The user _apt cannot write here.
    cat > "$2/apt.conf" << CONF
Dir::Etc::SourceList "$2/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$2/lists";
Dir::Cache "$2/cache";
APT::Default-Release "";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
CONF
    apt_get update -c "$2/apt.conf"
}
