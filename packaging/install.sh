#!/usr/bin/env bash
# Installs sound-monitor from this clone as a service, or updates it: install.sh [--no-service] | --uninstall | --help
#
#   packaging/install.sh               for you: program, config and a user service that starts at boot
#   sudo packaging/install.sh          for the system: a service with a user of its own
#   packaging/install.sh --no-service  the program and its config alone
#   packaging/install.sh --uninstall   removes program and service; config and history stay
#
# Running it again updates the program and changes nothing else. Exit 0: done; 2: something is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
clone=${here%/*}
python=${PYTHON:-python3}
user=sound-monitor

if [ "$(id -u)" = 0 ]; then
  prefix=/opt/sound-monitor config=/etc/sound-monitor bin=/usr/local/bin
  drop_in=/etc/systemd/system/sound-monitor.service.d/user.conf
else
  prefix=${XDG_DATA_HOME:-$HOME/.local/share}/sound-monitor
  config=${XDG_CONFIG_HOME:-$HOME/.config}/sound-monitor
  bin=$HOME/.local/bin drop_in=
fi

say() { echo "install.sh: $*"; }
fail() { echo "install.sh: $*" >&2; exit 2; }
has_systemd() { command -v systemctl >/dev/null && [ -d /run/systemd/system ]; }

uninstall() {
  if has_systemd; then "$here/install-service" --remove || true; fi
  [ -z "$drop_in" ] || rm -rf "${drop_in%/*}"
  rm -rf "$prefix"
  rm -f "$bin/sound-monitor"
  say "removed $prefix; $config and the history stay"
}

install_program() {
  "$python" -c 'import ensurepip, sys; assert sys.version_info >= (3, 10)' 2>/dev/null ||
    fail "needs Python 3.10 or newer with venv: sudo apt install python3-venv, or PYTHON=python3.x $0"
  if ! ldconfig -p 2>/dev/null | grep -q libportaudio; then
    "$clone/.ci/system-packages" libportaudio2 || say "without libportaudio2 microphones cannot be opened; replaying files works"
  fi
  # The new program is complete before it takes the place of the old one.
  local new
  mkdir -p "$prefix" "$bin" "$config"
  new=$(mktemp -d "$prefix/release-XXXXXX")
  chmod 755 "$new"
  "$python" -m venv "$new"
  "$new/bin/pip" install --quiet --disable-pip-version-check "${clone}[web,broker]"
  ln -sfn "$new" "$prefix/current"
  find "$prefix" -mindepth 1 -maxdepth 1 -name 'release-*' ! -path "$new" -exec rm -rf {} +
  ln -sf "$prefix/current/bin/sound-monitor" "$bin/sound-monitor"
  [ -e "$config/config.yaml" ] || cp "$clone/config.yaml" "$config/config.yaml"
  say "installed $("$bin/sound-monitor" --version | head -1) as $bin/sound-monitor, config in $config/config.yaml"
}

# The system's service runs under a user that owns nothing but its history.
system_user() {
  id "$user" >/dev/null 2>&1 || useradd --system --home-dir /var/lib/sound-monitor --groups audio "$user"
  mkdir -p "${drop_in%/*}"
  printf '[Service]\nUser=%s\nSupplementaryGroups=audio\nStateDirectory=sound-monitor\nProtectSystem=strict\nProtectHome=true\nPrivateTmp=true\n' \
    "$user" >"$drop_in"
}

case "${1:-}" in
  --help | -h) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' ;;
  --uninstall) uninstall ;;
  --no-service) install_program ;;
  "")
    install_program
    if has_systemd; then
      [ -z "$drop_in" ] || system_user
      "$here/install-service" "$prefix/current/bin/sound-monitor" "$config"
    else
      say "systemd does not run here; start it with: sound-monitor run --set audio.wait=true"
    fi
    ;;
  *) fail "unknown option $1; see $0 --help" ;;
esac
