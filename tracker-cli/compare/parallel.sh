#!/usr/bin/env bash
# Side by side: `tracker run` and `parallel --joblog --resume-failed`: overhead per command, and what each loses at a kill.
#
#   apt-get install parallel && cargo build --release -p tracker-cli && tracker-cli/compare/parallel.sh
#
# LINES_OF_INPUT (1000), ROUNDS (5) and JOBS (2) can be set in the environment. Rounds are interleaved; figures are medians, with
# the least and the greatest.
set -euo pipefail
lines=${LINES_OF_INPUT:-1000} rounds=${ROUNDS:-5} jobs=${JOBS:-2}
tracker=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../target/release/tracker")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
parallel=(parallel --will-cite)

seq "$lines" >input

# Seconds, of the clock and of the processors.
TIMEFORMAT='%R %U %S'
timed() {
  local name=$1
  shift
  { time "$@" <input >/dev/null 2>&1; } 2>>"time.$name"
}

for _ in $(seq "$rounds"); do
  rm -f jobs.redb shell.redb log
  timed 'xargs, remembers nothing' xargs -P "$jobs" -n 1 true
  timed 'tracker run' "$tracker" run jobs.redb -j "$jobs" -- true {}
  timed 'tracker run --shell' "$tracker" run shell.redb -j "$jobs" --shell -- true {}
  timed 'tracker run, all done before' "$tracker" run jobs.redb -j "$jobs" -- true {}
  timed 'parallel --joblog' "${parallel[@]}" -j "$jobs" --joblog log true {}
  timed 'parallel --resume-failed, all done before' "${parallel[@]}" -j "$jobs" --joblog log --resume-failed true {}
done
echo "$lines x true, $jobs jobs, $rounds rounds; per command, in microseconds: median (least - greatest)"
printf '  %-45s %24s   %24s\n' '' clock processors
column() { awk -v n="$lines" "{ print int(($1) * 1e6 / n) }" "$2" | sort -n | awk '
  { at[NR] = $1 } END { printf "%6d (%d - %d)", at[int((NR + 1) / 2)], at[1], at[NR] }'; }
for file in time.*; do
  printf '  %-45s %24s   %24s\n' "${file#time.}" "$(column '$1' "$file")" "$(column '$2 + $3' "$file")"
done

# Killed without warning after a third, at once started again: each command notes when it begins and ends.
seq 120 >input
command='echo {} >>NAME.begun; sleep 0.05; echo {} >>NAME.ended'
killed() {
  local name=$1 pid alive
  shift
  "$@" <input >/dev/null 2>&1 &
  pid=$!
  while [ "$(cat "$name.ended" 2>/dev/null | wc -l)" -lt 40 ]; do sleep 0.01; done
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  sleep 0.02
  alive=$(pgrep -fc "[e]cho.*$name.begun" || true)
  "$@" <input >/dev/null 2>&1 || true
  sleep 0.2
  printf '  %-14s still running after the kill: %d, begun twice: %d, ended twice: %d, never ended: %d\n' "$name" \
    "$alive" "$(sort "$name.begun" | uniq -d | wc -l)" "$(sort "$name.ended" | uniq -d | wc -l)" \
    "$(sort -u "$name.ended" | comm -23 <(sort input) - | wc -l)"
}
echo "killed with SIGKILL after 40 of 120 commands, $jobs jobs, started again:"
killed tracker "$tracker" run kill.redb -j "$jobs" --shell -- "${command//NAME/tracker}"
killed parallel "${parallel[@]}" -j "$jobs" --joblog kill.log --resume-failed "${command//NAME/parallel}"

# The input changes between two runs: a line comes first that was not there.
echo "a line put before the 20 others between two runs, none of which failed:"
changed() {
  local name=$1
  shift
  seq 20 | "$@" >/dev/null
  (echo new && seq 20) | "$@" >"$name.second"
  printf '  %-14s ran in the second run: %s\n' "$name" "$(tr '\n' ' ' <"$name.second")"
}
changed tracker "$tracker" run changed.redb -j 1 -- echo {}
changed parallel "${parallel[@]}" -j 1 --joblog changed.log --resume-failed echo {}
