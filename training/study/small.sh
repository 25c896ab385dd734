#!/usr/bin/env bash
# The small version of the study, unattended: every step, on the recordings that SOUND_DATA holds, with
# short runs and one seed. Interrupted, the same call goes on where it stopped. Each size can be set.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${SOUND_DATA:?name the folder of the recordings: SOUND_DATA=~/sounds make study}"
OUT=${STUDY_OUT:-runs/small-study}
CACHE=${STUDY_CACHE:-.cache/features}
CORPORA=${STUDY_CORPORA:-esc10 urbansound8k}
SEED_MODELS=${STUDY_SEED_MODELS:-rnn,lstm,gru,clstm,cnn}
MODELS=${STUDY_MODELS:-rnn,lstm,gru,clstm,cnn,crnn,transformer,compact-plain,compact}
ARCHITECTURES=${STUDY_ARCHITECTURES:-}
EPOCHS=${STUDY_EPOCHS:-12}
FOLDS=${STUDY_FOLDS:-}
ABLATION_EPOCHS=${STUDY_ABLATION_EPOCHS:-6}
ABLATION=${STUDY_ABLATION:-features augmentation}
SEARCHED=${STUDY_SEARCHED:-compact}
TRIALS=${STUDY_TRIALS:-6}
export TF_CPP_MIN_LOG_LEVEL=2
mkdir -p "$OUT"

say() { printf '\n== %d min  %s\n' $((SECONDS / 60)) "$*" >&2; }

say "1  what is there"
sound-training data check || [ $? -eq 1 ] # 1: something is missing or damaged; the rest goes on without it

say "2  the recordings on a page"
sound-training explore --out "$OUT/explore"

say "3  their features"
sound-training features --cache "$CACHE"

say "4  what the networks cost"
sound-training architectures ${ARCHITECTURES:+--models "$ARCHITECTURES"} | tee "$OUT/architectures.md"

for corpus in $CORPORA; do
  here=(--corpus "$corpus" --cache "$CACHE" ${FOLDS:+--folds "$FOLDS"})
  runs=$OUT/$corpus/runs records=$OUT/$corpus/records

  say "5  $corpus: the budget of the honest protocol, then cross validation"
  sound-training cv "${here[@]}" --models "$MODELS" --epochs "$EPOCHS" --runs "$runs" --records "$records" --plan
  sound-training cv "${here[@]}" --protocol seed --models "$SEED_MODELS" --epochs "$EPOCHS" --runs "$runs" --records "$records"
  sound-training cv "${here[@]}" --models "$MODELS" --epochs "$EPOCHS" --runs "$runs" --records "$records"

  say "6  $corpus: one factor at a time"
  for group in $ABLATION; do
    sound-training ablation "${here[@]}" --group "$group" --epochs "$ABLATION_EPOCHS" --runs "$OUT/$corpus/ablation/runs" \
      --records "$OUT/$corpus/ablation/records" --out "$OUT/$corpus/ablation"
  done

  say "7  $corpus: search"
  sound-training search "${here[@]}" --model "$SEARCHED" --epochs "$ABLATION_EPOCHS" --trials "$TRIALS" \
    --storage "sqlite:///$OUT/search.db" --runs "$OUT/$corpus/search" --out "$OUT/$corpus/search" \
    --records "$records"

  say "8  $corpus: the comparison"
  sound-training compare --records "$records" --out "$OUT/$corpus"
done

say "done: the pages are under $OUT"
