#!/usr/bin/env bats
# shellcheck disable=SC2016 # What stands in single quotes is for programs that the tests write, or is never to run.
# shellcheck disable=SC2030,SC2031 # bats runs each test in a shell of its own, on purpose.
# The hook with programs in its way that write down how they were called. Needs bats and bash alone.

setup() {
  plugin="$(cd "$BATS_TEST_DIRNAME/.." && pwd)"
  scratch="$(mktemp -d)"
  mkdir "$scratch/bin" "$scratch/work"
  export CALLS="$scratch/calls" PATH="$scratch/bin:/usr/bin:/bin" HOME="$scratch"
  event=ev-0123456789abcdef0123456789abcdef
  export event
  local name
  for name in $(compgen -e BUILDKITE_) $(compgen -e LAUNCHGATE_) XDG_CACHE_HOME; do unset "$name"; done
  export BUILDKITE_PLUGIN_NAME=LAUNCHGATE BUILDKITE_COMMAND_EXIT_STATUS=0
  program launchgate 'case $1 in
    emit) echo "key:${LAUNCHGATE_SIGNING_KEY-}" >>"$CALLS"; echo "$event" ;;
    version) echo "launchgate 0.1.0" ;;
    wait) exit "${WAIT_CODE:-0}" ;;
  esac'
  program buildkite-agent '[ "$1" != annotate ] || sed "s/^/stdin:/" >>"$CALLS"'
  cd "$scratch/work" || exit 1
}

teardown() {
  rm -rf "$scratch"
}

# A program $1 that writes down its arguments, one a line, and does $2.
program() {
  printf '#!/bin/sh\nfor one in %s "$@"; do printf "%%s\\n" "[$one]" >>"$CALLS"; done\n%s\n' "$1" "$2" >"$scratch/bin/$1"
  chmod +x "$scratch/bin/$1"
}

# As the agent runs a hook: sourced, in the checkout.
hook() {
  bash -c 'set -euo pipefail; . "$0"' "$plugin/hooks/post-command"
}

# Options NAME=VALUE of the step.
step() {
  local one
  for one; do export "BUILDKITE_PLUGIN_${BUILDKITE_PLUGIN_NAME}_$one"; done
}

keyless_by_topic() {
  step ARTIFACTS_0=model.bin KEYLESS=true AUDIENCE=launchgate-prod TOPIC=projects/acme-ml/topics/events
}

called() {
  grep -Fxq -- "$1" "$CALLS"
}

# `!` alone fails no test.
not_called() {
  ! called "$1"
}

@test "emits what the options say, and nothing else" {
  keyless_by_topic
  step IMAGE=eu.gcr.io/acme/train:v1 IMAGES_FROM_0=metadata.json SET_0=dataset=2026-11 SET_1=epochs=3

  run hook

  [ "$status" -eq 0 ]
  [[ "$output" == *"$event"* ]]
  diff - "$CALLS" <<END
[launchgate]
[emit]
[--artifact=model.bin]
[--artifact=eu.gcr.io/acme/train:v1]
[--images-from=metadata.json]
[--set=dataset=2026-11]
[--set=epochs=3]
[--keyless]
[--audience=launchgate-prod]
[--topic=projects/acme-ml/topics/events]
key:
END
}

@test "a value is one argument, whatever stands in it" {
  touch a.bin b.bin
  keyless_by_topic
  step 'ARTIFACTS_0=*.bin' 'ARTIFACTS_1=my model.bin' 'ARTIFACTS_2=$(touch hacked)' 'ARTIFACTS_3=--dry-run' \
    'SET_0=note=`touch hacked`; touch hacked'

  run hook

  [ "$status" -eq 0 ]
  called '[--artifact=*.bin]'
  called '[--artifact=my model.bin]'
  called '[--artifact=$(touch hacked)]'
  called '[--artifact=--dry-run]'
  called '[--set=note=`touch hacked`; touch hacked]'
  [ ! -e hacked ]
}

@test "more than ten values keep their order" {
  keyless_by_topic
  local index
  for index in 0 1 2 3 4 5 6 7 8 9 10 11; do step "SET_$index=k$index=v"; done

  run hook

  [ "$(grep -c -- '--set=' "$CALLS")" -eq 12 ]
  [ "$(grep -- '--set=' "$CALLS" | tail -n 1)" = '[--set=k11=v]' ]
}

@test "a command that failed has built nothing" {
  keyless_by_topic
  export BUILDKITE_COMMAND_EXIT_STATUS=1

  run hook

  [ "$status" -eq 0 ]
  [ ! -e "$CALLS" ]
}

@test "the plugin works under whatever name the agent gives it" {
  export BUILDKITE_PLUGIN_NAME=BUILDKITE_PLUGIN
  keyless_by_topic

  run hook

  [ "$status" -eq 0 ]
  called '[--artifact=model.bin]'
}

@test "a key reaches the signing process alone, and is never shown" {
  step ARTIFACTS=model.bin KEY_ENV=RELEASE_KEY TOPIC=projects/acme-ml/topics/events WAIT=launch \
    GATE_URL=https://gate.example.com AUDIENCE=launchgate-prod
  export RELEASE_KEY='-----BEGIN PRIVATE KEY-----'

  run hook

  [ "$status" -eq 0 ]
  called 'key:-----BEGIN PRIVATE KEY-----'
  [ "$(grep -c 'BEGIN PRIVATE' "$CALLS")" -eq 1 ]
  [[ "$output" != *BEGIN* ]]
}

@test "meta-data needs no topic" {
  step ARTIFACTS=model.bin KEYLESS=true AUDIENCE=launchgate-prod VIA=meta-data

  run hook

  [ "$status" -eq 0 ]
  called '[--via=meta-data]'
}

@test "waits as asked, and fails the step as the gate has decided" {
  keyless_by_topic
  step WAIT=completion GATE_URL=https://gate.example.com WAIT_TIMEOUT=4h
  export WAIT_CODE=4

  run hook

  [ "$status" -eq 4 ]
  called '[wait]'
  called "[$event]"
  called '[--for=completion]'
  called '[--gate-url=https://gate.example.com]'
  called '[--timeout=4h]'
}

@test "a note on the build's page names the event and links the console" {
  keyless_by_topic
  step ANNOTATE=true

  run hook
  [ "$status" -eq 0 ]
  called '[launchgate/emit]'
  called "stdin:launchgate: event \`$event\` published"

  step CONSOLE_URL=https://console.example.com/
  run hook
  called "stdin:launchgate: event [$event](https://console.example.com/events/$event) published"
}

@test "a page that takes no note fails no step" {
  keyless_by_topic
  step ANNOTATE=true
  program buildkite-agent 'exit 1'

  run hook

  [ "$status" -eq 0 ]
  [[ "$output" == *"could not be annotated"* ]]
}

@test "an emit that fails fails the step, and nothing is noted" {
  keyless_by_topic
  step ANNOTATE=true
  program launchgate 'exit 7'

  run hook

  [ "$status" -eq 7 ]
  not_called '[annotate]'
}

# Says that the step's options cannot be, and why; nothing was emitted.
refused() {
  run hook
  [ "$status" -eq 2 ]
  [[ "$output" == *"$1"* ]]
  [ ! -e "$CALLS" ]
}

@test "options that contradict each other are refused before anything is done" {
  refused 'what the step has built'
  step ARTIFACTS=model.bin
  refused 'how to sign'
  step KEYLESS=true
  refused 'audience'
  step AUDIENCE=launchgate-prod KMS=projects/p/x
  refused 'exactly one'
  unset BUILDKITE_PLUGIN_LAUNCHGATE_KMS
  refused 'where to'
  step TOPIC=projects/p/topics/t VIA=meta-data
  refused 'where to'
  unset BUILDKITE_PLUGIN_LAUNCHGATE_TOPIC
  step WAIT=launch
  refused 'when the build has ended'
  unset BUILDKITE_PLUGIN_LAUNCHGATE_VIA
  step TOPIC=projects/p/topics/t
  refused 'gate-url'
  step WAIT=forever
  refused 'launch or completion'
}

@test "a variable for the key is a name, and is set" {
  step ARTIFACTS=model.bin TOPIC=projects/p/topics/t KEY_ENV='x[$(touch hacked)]'
  refused 'name of a variable'
  [ ! -e hacked ]
  step KEY_ENV=NOT_SET
  refused 'NOT_SET is not set'
}

# Without launchgate on PATH, with a download of $1.
download() {
  rm "$scratch/bin/launchgate"
  program uname 'case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac'
  program curl 'while [ $# -gt 1 ]; do case $1 in --output) cp "$DOWNLOAD" "$2" ;; esac; shift; done'
  printf '#!/bin/sh\necho "ran:$1" >>"$CALLS"\necho "$event"\n' >"$scratch/download"
  export DOWNLOAD="$scratch/download"
  step VERSION=0.1.0 'URL=https://mirror.example.com/{version}/launchgate-{platform}' \
    "SHA256_LINUX_AMD64=$(sha256sum <"$DOWNLOAD" | cut -d ' ' -f 1)"
}

@test "the pinned binary is fetched once and run" {
  keyless_by_topic
  download

  run hook
  [ "$status" -eq 0 ]
  called '[https://mirror.example.com/0.1.0/launchgate-linux-amd64]'
  called 'ran:emit'

  run hook
  [ "$status" -eq 0 ]
  [ "$(grep -Fxc '[curl]' "$CALLS")" -eq 1 ]
}

@test "a download that is not the pinned one is never run" {
  keyless_by_topic
  download
  echo 'echo evil' >>"$DOWNLOAD"

  run hook

  [ "$status" -eq 2 ]
  [[ "$output" == *"it was not run"* ]]
  not_called 'ran:emit'
  [ -z "$(ls "$HOME/.cache/launchgate-buildkite-plugin")" ]
}

@test "a binary that changed in the cache is fetched anew" {
  keyless_by_topic
  download
  run hook
  printf '#!/bin/sh\necho evil >>"$CALLS"\n' >"$(echo "$HOME"/.cache/launchgate-buildkite-plugin/*)"

  run hook

  [ "$status" -eq 0 ]
  not_called evil
  [ "$(grep -Fxc '[curl]' "$CALLS")" -eq 2 ]
}

@test "what is fetched is pinned, and comes by https" {
  keyless_by_topic
  download
  step URL=http://mirror.example.com/launchgate
  run hook
  [ "$status" -eq 2 ]
  [[ "$output" == *https* ]]

  step URL=https://mirror.example.com/launchgate SHA256_LINUX_AMD64=
  run hook
  [ "$status" -eq 2 ]
  [[ "$output" == *SHA-256* ]]

  step VERSION=
  run hook
  [ "$status" -eq 2 ]
  [[ "$output" == *"not on PATH"* ]]
  not_called '[curl]'
}
