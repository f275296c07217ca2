# Sourced by tests/run and stress/run: makes sure that the Debian packages are there.
# Installs what is missing when it may (root or password-less sudo); otherwise prints the exact
# command and stops.

# What manylock-stress needs to build and to run. PACKAGE:COMMAND is content with the command,
# wherever it comes from.
stress_packages=(
    ninja-build:ninja gnuplot-nox:gnuplot
    libboost-dev libboost-context-dev liburcu-dev libspdlog-dev libcli11-dev nlohmann-json3-dev zlib1g-dev liblzma-dev
)

# What all tests need on top. clang is the second compiler, graphviz draws the wait-for graphs, valgrind counts
# instructions; oneTBB, Abseil and Boost.Thread are what the benchmarks compare with.
test_packages=(
    "${stress_packages[@]}" doctest-dev relacy-dev libbenchmark-dev
    libtbb-dev libabsl-dev libboost-thread-dev valgrind
    graphviz:dot python3:python3 clang:clang++ libclang-rt-dev clang-format:clang-format clang-tidy:clang-tidy
)

# need_packages PACKAGE[:COMMAND]...
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian system: please see to it that these are installed: $*" >&2
        return 0
    fi
    local entry package missing=()
    for entry in "$@"; do
        package=${entry%%:*}
        [[ $entry == *:* ]] && command -v "${entry#*:}" >/dev/null && continue
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    local as_root=()
    if ((EUID != 0)); then
        if ! sudo -n true 2>/dev/null; then
            echo "Missing packages; as root please run: apt-get install -y ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo -n)
    fi
    echo "Installing ${missing[*]}" >&2
    "${as_root[@]}" apt-get -q update >&2 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get -q install -y --no-install-recommends "${missing[@]}" >&2 && return 0
    echo "Installing failed; please run: apt-get update && apt-get install -y ${missing[*]}" >&2
    return 1
}

# Ninja builds faster than make; a build folder that has its generator already keeps it.
prefer_ninja() {
    if command -v ninja >/dev/null; then
        export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
    fi
}
