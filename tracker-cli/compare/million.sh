#!/usr/bin/env bash
# What each command costs on a file of a million tasks, 50,000 attempts in it: clock, processors, memory.
#
#   apt-get install time && cargo build --release -p tracker-cli --bin tracker --example many && tracker-cli/compare/million.sh
#
# TASKS (1000000) and ROUNDS (5) can be set in the environment; FILE keeps the file for the next time. Rounds are
# interleaved; figures are medians, with the least and the greatest. The last row is about files whose writer was killed
# while it submitted, which are repaired by the first look.
set -euo pipefail
tasks=${TASKS:-1000000} rounds=${ROUNDS:-5}
release=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../target/release")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
file=${FILE:-$work/many.redb}
[ -e "$file" ] || "$release/examples/many" "$file" "$tasks"

id=https://host7.example.org/page/7
commands=(
  "status FILE"
  "counts FILE"
  "plan FILE"
  "show FILE $id"
  "list FILE"
  "list FILE --role failed --oldest-first"
  "list FILE --index host=host7.example.org"
  "errors FILE"
  "list FILE --containing no-such-text"
  "report FILE -o $work/page.html"
)
"$release/tracker" status "$file" >/dev/null # repaired, if need be, and in the system's cache
measured() {
  /usr/bin/time -f '%e %U %S %M' -a -o "$work/times.$1" "$release/tracker" "${@:2}" >/dev/null
}
for _ in $(seq "$rounds"); do
  for at in "${!commands[@]}"; do
    # Paths have no spaces here: words are words.
    # shellcheck disable=SC2086
    measured "$at" ${commands[at]/FILE/$file}
  done
  "$release/examples/many" "$work/killed.redb" "$tasks" >/dev/null &
  writer=$!
  until [ "$(stat -c %s "$work/killed.redb" 2>/dev/null || echo 0)" -gt $((tasks * 150)) ]; do sleep 0.02; done
  kill -9 "$writer"
  wait "$writer" 2>/dev/null || true
  measured "${#commands[@]}" status "$work/killed.redb"
  killed=$(stat -c %s "$work/killed.redb" | numfmt --to=si)
  rm "$work/killed.redb"
done
commands+=("status of $killed B whose writer was killed")

column() { awk "{ printf \"%.2f\\n\", $1 }" "$2" | sort -n | awk -v form="$3" '
  { at[NR] = $1 } END { printf form " (" form " - " form ")", at[int((NR + 1) / 2)], at[1], at[NR] }'; }
echo "$(stat -c %s "$file" | numfmt --to=si) B, $tasks tasks, $rounds rounds: median (least - greatest)"
printf '  %-45s %22s %22s %20s\n' '' 'clock, s' 'processors, s' 'memory, MB'
for at in "${!commands[@]}"; do
  times=$work/times.$at
  printf '  %-45s %22s %22s %20s\n' "${commands[at]/$work\//}" "$(column '$1' "$times" %.2f)" \
    "$(column '$2 + $3' "$times" %.2f)" "$(column '$4 / 1024' "$times" %.0f)"
done
