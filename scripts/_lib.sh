# Shared by the scripts beside it: where things are, and how they speak. Sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=${VENV:-$root/.venv}
python=$venv/bin/python

say() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

has_screen() { [ "$(uname)" = Darwin ] || [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]; }

has_virtual_screen() { command -v xvfb-run >/dev/null 2>&1; }

# Runs a command with a virtual screen where there is one to be had: windows then neither need a real one nor pop up on it.
on_virtual_screen() {
    if has_virtual_screen; then
        # A person's Wayland session would be preferred by Qt over the virtual X screen.
        env -u WAYLAND_DISPLAY QT_QPA_PLATFORM=xcb xvfb-run --auto-servernum --server-args='-screen 0 1920x1200x24' "$@"
    else
        "$@"
    fi
}
