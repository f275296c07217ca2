# What the scripts share that make the pages of docs/results. Such a script sets its usage line, then the defaults of options
# that are its own, and goes on so:
#     usage="usage: stress/simulate/NAME --out OUT | --print OUT [--program PATH] [--only NAME,..] [--jobs N]"
#     source "$(dirname "${BASH_SOURCE[0]}")/../pages.sh"
#     read_options "$@"
#     if $measure; then needs_program; row NAME COMMITS OPTION...; all_were_there; fi
#     page <<'PYTHON'        # a program that takes what it needs from pages.py
# The options are those of the usage line. `--some-name WORD` sets some_name; where WORD is N, to a number from 1 on. `[--flag]`
# sets flag=true. --print sets measure=false, and out if it has a value. What is no option is refused; only where the usage line
# has `DIR...` does it land in the array rest.

pages=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=$(basename "$0")
program=build/release/stress/manylock-stress
measure=true
out=
only=
jobs=1
rest=()

refuse() { echo "$script: $1; $usage" >&2; exit 2; }

read_options() {
    local name pattern takes value
    while (($#)); do
        name=$1 value=true
        shift
        if [[ $name == --help || $name == -h ]]; then
            echo "$usage"
            exit 0
        elif [[ $name != -* && $usage == *...* ]]; then
            rest+=("$name")
            continue
        fi
        pattern="[[ ]$name[] ]([A-Z]*)"
        [[ $name =~ ^--[a-z-]+$ && $usage =~ $pattern ]] || refuse "unknown argument $name"
        takes=${BASH_REMATCH[1]}
        if [[ -n $takes ]]; then
            (($#)) || refuse "$name needs a value"
            value=$1
            shift
            [[ $takes != N || $value =~ ^[1-9][0-9]{0,8}$ ]] || refuse "$name $value is not a number from 1 to 999999999"
        fi
        case $name in
            --print)
                measure=false
                [[ -n $takes ]] || continue
                [[ -d $value ]] || refuse "--print $value: there is no such folder"
                out=$value
                ;;
            *) name=${name#--}; printf -v "${name//-/_}" %s "$value" ;;
        esac
    done
    [[ -n $out || $usage != *" --out "* ]] || refuse "--out is missing"
    left=,$only,
}

needs_program() { [[ -f $program && -x $program ]] || refuse "$program is not there; build it with stress/run, or name it with --program"; }
needs_gnuplot() { command -v gnuplot >/dev/null || refuse "gnuplot is not there; install it (Debian: gnuplot-nox)"; }

# NAME COMMITS OPTION...: simulates into OUT/NAME, if --only lets it. COMMITS are those of each row in all.
row() {
    local name=$1 commits=$2
    shift 2
    [[ -z $only || ,$only, == *,$name,* ]] || return 0
    left=${left/,$name,/,}
    "$program" simulate --out "$out/$name" --commits "$commits" --jobs "$jobs" --seed 1 "$@" >&2
}
# After the last row: has --only named something else?
all_were_there() {
    left=${left#,} left=${left%,}
    [[ -z $left ]] || refuse "--only: there is no run $left"
}

# TARGET...: builds benchmarks into $build, and says in $commit what they were built of.
build=build/release
commit=unknown
build_bench() {
    cmake --preset release -DMANYLOCK_BUILD_BENCH=ON >&2
    cmake --build "$build" --target "$@" >&2
    commit=$(git describe --always --dirty --abbrev=12 --exclude "*" || echo unknown)  # before the files change
}

# ARGUMENT...: runs the Python program on standard input, which finds OUT as its first argument, those given behind it.
# Without bytecode, which would lie in the sources.
page() { PYTHONPATH=$pages${PYTHONPATH:+:$PYTHONPATH} SCRIPT=$script python3 -B - "$out" "$@"; }
