#!/usr/bin/env bash
# What the long steps of the study cost on this machine: features, the bank of altered copies, and the compact network
# for all its epochs on two folds. Everything is computed anew, in a scratch folder. Writes a page.
#   SOUND_DATA=~/sounds benchmarks/timing.sh docs/results/study/timing.md
set -euo pipefail
cd "$(dirname "$0")/.."

: "${SOUND_DATA:?name the folder of the recordings: SOUND_DATA=~/sounds benchmarks/timing.sh PAGE}"
PAGE=${1:?name the page to write}
WORK=${TIMING_WORK:-$(mktemp -d)}
EPOCHS=${TIMING_EPOCHS:-}
FOLDS=${TIMING_FOLDS:-1,2}
export TF_CPP_MIN_LOG_LEVEL=2
mkdir -p "$WORK" "$(dirname "$PAGE")"
TIMEFORMAT='%R %U %S'

say() { printf '%s\n' "$@" >>"$WORK/page"; }
timed() { # runs a command, shows it on the page with its output, its time and its CPU time
  { time "$@" >"$WORK/out" 2>"$WORK/err"; } 2>"$WORK/time" || { cat "$WORK/err" >&2; exit 1; }
  read -r wall user system < <(tail -1 "$WORK/time")
  shown=$(printf '%s ' "$@")
  say '```' "\$ ${shown//"$WORK"/\$WORK}" "$(grep -ao 'mel power of .*' "$WORK/err" || true)" "$(cat "$WORK/out")" '```' "" \
    "$wall s by the clock, $(awk "BEGIN { printf \"%.1f\", $user + $system }") s of CPU; load before and after: $load, $(now)." ""
  load=$(now)
}
now() { cut -d' ' -f1 /proc/loadavg; }

load=$(now)
: >"$WORK/page"
say "# What the long steps cost" "" \
  "Written by \`benchmarks/timing.sh\` on $(date -u +%F), $(uname -m), $(nproc) cores${TIMING_NOTE:+; $TIMING_NOTE}. A load above $(nproc)" \
  "means that a core was shared: then the clock tells of the others too, and CPU time is what the step takes." "" \
  "## Features: times real time, per core" ""
timed sound-training features --speed
timed sound-training features --speed --denoise
say "## The bank of altered copies: two of each clip, by all four changes" ""
timed sound-training features --preset log-mel --bank all --copies 2 --cache "$WORK/cache"
say "## The compact network, all its epochs, folds $FOLDS one after the other" "" \
  "Its batches are mixed from mel power, which is computed once, before the first epoch (the first line); its time is part of the total." ""
timed sound-training cv --models compact --folds "$FOLDS" ${EPOCHS:+--epochs "$EPOCHS"} --json --records "$WORK/records" \
  --runs "$WORK/runs" --cache "$WORK/cache"
cp "$WORK/page" "$PAGE"
