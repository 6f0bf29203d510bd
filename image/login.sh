# shellcheck shell=bash
# Sourced at the start of bash: one line on stderr, in interactive shells only, that says which
# seed the programs started from here will have. Leaves nothing behind but SEED_INIT_SHOWN, the
# line itself: a shell started from this one says it again only if something else holds there.

# bash reads bash.bashrc for `ssh HOST COMMAND` as well. And nobody sits at a shell with -c: with
# `bash -lic` VS Code asks for the environment, which its own terminals then inherit.
[[ $- == *i* && -z ${BASH_EXECUTION_STRING+x} ]] || return 0

# No statement here may fail: under `bash -e` the shell would not open.
_seed_init_login() {
    local said status=0
    # -I: neither a PYTHONPATH nor a file in this folder may get in the way.
    said=$(command python -I -c 'from seed_init.hook.login import line; print(line())' 2>&1) || status=$?
    # 78 is a refusal by the hook, whose one line says what is wrong.
    if ((status == 0 || status == 78)); then
        said=${said##*$'\n'}
    elif [[ ${SEED_INIT_LOG-} == *quiet* ]]; then
        said=
    else
        said='seed_init: python cannot be asked which seed holds; try: python -c "import seed_init"'
    fi
    if [[ -n $said && $said != "${SEED_INIT_SHOWN-}" ]]; then
        printf '%s\n' "$said" >&2
        export SEED_INIT_SHOWN=$said
    fi
}
_seed_init_login
unset -f _seed_init_login
