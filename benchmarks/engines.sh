#!/usr/bin/env bash
# Shows on this machine that jobs do not depend on the engine (processes against a Dask cluster of two workers),
# and that a search goes on after its worker was killed, on PostgreSQL. Writes a page of what happened.
#   SOUND_DATA=~/sounds benchmarks/engines.sh docs/results/study/engines.md
set -euo pipefail
cd "$(dirname "$0")/.."

: "${SOUND_DATA:?name the folder of the recordings: SOUND_DATA=~/sounds benchmarks/engines.sh PAGE}"
PAGE=${1:?name the page to write}
WORK=${ENGINES_WORK:-$(mktemp -d)}
CACHE=${ENGINES_CACHE:-.cache/features}
JOBS=(--models compact --folds 1,2 --seeds 0,1 --epochs "${ENGINES_EPOCHS:-3}" --threads 1)
SEARCH=(--model compact --corpus esc10 --epochs 2 --trials "${ENGINES_TRIALS:-8}" --study shown)
SCHEDULER=tcp://127.0.0.1:${ENGINES_PORT:-18786}
export TF_CPP_MIN_LOG_LEVEL=2
mkdir -p "$WORK" "$(dirname "$PAGE")"
begun=()

stop() { # what was begun here, last first
  for ((i = ${#begun[@]} - 1; i >= 0; i--)); do kill "${begun[i]}" 2>/dev/null && wait "${begun[i]}" 2>/dev/null || true; done
  begun=()
}
trap stop EXIT

say() { printf '%s\n' "$@" >>"$WORK/page"; }
timed() { # seconds by the clock, of a command whose last lines are kept
  local start=$SECONDS
  "$@" >"$WORK/out" 2>"$WORK/err" || { cat "$WORK/err" >&2; return 1; }
  took=$((SECONDS - start))
}
load() { cut -d' ' -f1-3 /proc/loadavg; }

: >"$WORK/page"
say "# Engines: the same jobs in processes and on a cluster, and a search that was killed" "" \
  "Written by \`benchmarks/engines.sh\` on $(date -u +%F), $(uname -m), $(nproc) cores, load $(load) (other work ran too)." \
  "Records, database and states lay in a scratch folder (\`\$WORK\`); every process that was begun was ended by its id." ""

# --- Dask ------------------------------------------------------------------------------------

timed sound-training cv "${JOBS[@]}" --jobs 2 --records "$WORK/processes" --runs "$WORK/runs-processes" --cache "$CACHE"
processes=$took
dask scheduler --host 127.0.0.1 --port "${SCHEDULER##*:}" --no-dashboard --no-show >"$WORK/scheduler.log" 2>&1 &
begun+=($!)
for number in 1 2; do
  dask worker "$SCHEDULER" --host 127.0.0.1 --nthreads 1 --nworkers 1 --no-dashboard --name "worker-$number" \
    --local-directory "$WORK/dask-$number" >"$WORK/worker-$number.log" 2>&1 &
  begun+=($!)
done
timed sound-training cv "${JOBS[@]}" --engine dask --scheduler "$SCHEDULER" --records "$WORK/dask" \
  --runs "$WORK/runs-dask" --cache "$CACHE"
say "## A Dask cluster of two workers" "" '```' \
  "sound-training cv ${JOBS[*]} --jobs 2 --records \$WORK/processes --runs \$WORK/runs-processes    # $processes s" \
  "dask scheduler --host 127.0.0.1 --port ${SCHEDULER##*:} --no-dashboard" \
  "dask worker $SCHEDULER --host 127.0.0.1 --nthreads 1 --nworkers 1 --no-dashboard    # twice" \
  "sound-training cv ${JOBS[*]} --engine dask --scheduler $SCHEDULER --records \$WORK/dask --runs \$WORK/runs-dask    # $took s" \
  "python -m training.study.same \$WORK/processes \$WORK/dask" '```' ""
same=0
python -m training.study.same "$WORK/processes" "$WORK/dask" >>"$WORK/page" || same=1
say "" "*yes*: settings, splits, curve, predictions and probabilities are equal to the last digit that a record keeps;" \
  "*but for rounding*: the last digits of losses or probabilities are not. Times are not compared; those above are by the" \
  "clock and tell of the other work too." ""
stop

# --- PostgreSQL ------------------------------------------------------------------------------

server=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
[ -n "$server" ] || { echo "PostgreSQL is not installed; the page ends with Dask" >&2; cp "$WORK/page" "$PAGE"; exit $same; }
owner=()
home=$(mktemp -d)
if [ "$(id -u)" = 0 ]; then # the server refuses to be root
  owner=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  chown postgres "$home"
fi
(cd "$home" && "${owner[@]}" "$server/initdb" -A trust -U study "$home/data") >"$WORK/initdb.log"
(cd "$home" && exec "${owner[@]}" "$server/postgres" -D "$home/data" -c listen_addresses= -c unix_socket_directories="$home") \
  >"$WORK/postgresql.log" 2>&1 &
begun+=($!)
until "$server/pg_isready" -q -h "$home" -U study; do sleep 0.2; done
URL="postgresql+psycopg://study@/postgres?host=$home"
SEARCH+=(--storage "$URL" --runs "$WORK/search" --cache "$CACHE" --out "$WORK/search-page")

sound-training search "${SEARCH[@]}" >"$WORK/killed.log" 2>&1 &
victim=$!
begun+=("$victim")
# In the midst of the third trial: two have ended, and a fold of the next has begun.
until [ "$(grep -c '^trial ' "$WORK/killed.log")" -ge 2 ] && tail -1 "$WORK/killed.log" | grep -q '^fold '; do
  kill -0 "$victim" || { cat "$WORK/killed.log" >&2; exit 1; }
  sleep 0.2
done
kill -KILL "$victim"
wait "$victim" 2>/dev/null || true
unset 'begun[-1]'
killed=$(date -u +%T)
trials() { "$server/psql" -h "$home" -U study -d postgres -AtF ' | ' -c "$1"; }
STATES="select t.number, lower(t.state::text), round(v.value::numeric, 4), to_char(t.datetime_start, 'HH24:MI:SS'),
  to_char(t.datetime_complete, 'HH24:MI:SS'), round(p.param_value::numeric, 6) from trials t
  left join trial_values v using (trial_id) left join trial_params p on p.trial_id = t.trial_id and p.param_name = 'rate'
  order by t.number"
table() {
  say "| trial | state | accuracy | begun | ended | rate |" "|---|---|---|---|---|---|"
  trials "$STATES" | sed 's/^/| /; s/$/ |/' >>"$WORK/page"
}
say "## A search on PostgreSQL, killed and started again" "" \
  "$("$server/postgres" --version), on a Unix socket in a folder of its own. One worker:" "" '```' \
  "sound-training search ${SEARCH[*]:0:10} --storage 'postgresql+psycopg://study@/postgres?host=\$HOME_OF_SERVER'" '```' "" \
  "Killed with SIGKILL at $killed UTC. What the database then held:" ""
table
start=$SECONDS
workers=()
for number in 1 2; do
  sound-training search "${SEARCH[@]}" >"$WORK/again-$number.log" 2>&1 &
  workers+=($!)
done
begun+=("${workers[@]}")
for worker in "${workers[@]}"; do wait "$worker"; unset 'begun[-1]'; done
say "" "The same command, at once, twice: two workers on one study, $((SECONDS - start)) s. What it held then:" ""
table
say "" "A trial whose worker gave no sign for a minute is failed and tried again with its settings (the same rate). Each worker" \
  "said at its end:" "" '```' "$(grep -h '^trial ' "$WORK/again-1.log" | tail -1)" "$(grep -h '^trial ' "$WORK/again-2.log" | tail -1)" '```'
cp "$WORK/page" "$PAGE"
rm -rf "$home/data"
exit $same
