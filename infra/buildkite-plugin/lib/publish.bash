#!/usr/bin/env bash
# Emits the step's artifacts, says so on the build's page, and waits, as the step's options ask.
#
# A signing key travels in a variable of the one process that signs, never on a command line or in the log.
set -euo pipefail

folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=SCRIPTDIR/settings.bash
source "$folder/settings.bash"
# shellcheck source=SCRIPTDIR/binary.bash
source "$folder/binary.bash"

if [[ "${BUILDKITE_COMMAND_EXIT_STATUS:-0}" != 0 ]]; then
  echo "launchgate: the command failed, so nothing is emitted"
  exit 0
fi

# What is wrong with the options is said before anything is fetched or hashed.
arguments=(emit)
read_list ARTIFACTS
for one in ${list[@]+"${list[@]}"}; do arguments+=("--artifact=$one"); done
read_list IMAGE
for one in ${list[@]+"${list[@]}"}; do arguments+=("--artifact=$one"); done
read_list IMAGES_FROM
for one in ${list[@]+"${list[@]}"}; do arguments+=("--images-from=$one"); done
[[ ${#arguments[@]} -gt 1 ]] || refuse "name what the step has built: artifacts, image or images-from"
read_list SET
for one in ${list[@]+"${list[@]}"}; do arguments+=("--set=$one"); done
uri="$(option URI)"
[[ -z "$uri" ]] || arguments+=("--uri=$uri")

audience="$(option AUDIENCE)"
key_variable="$(option KEY_ENV)"
kms="$(option KMS)"
ways=0
if is_on KEYLESS; then
  ways=$((ways + 1))
  [[ -n "$audience" ]] || refuse "keyless: say audience too, the triggers file's service.audience"
  arguments+=(--keyless "--audience=$audience")
fi
if [[ -n "$key_variable" ]]; then
  ways=$((ways + 1))
  [[ "$key_variable" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || refuse "key-env: expected the name of a variable"
  [[ -n "${!key_variable:-}" ]] || refuse "key-env: the variable $key_variable is not set"
fi
if [[ -n "$kms" ]]; then
  ways=$((ways + 1))
  arguments+=("--kms=$kms")
fi
[[ $ways -eq 1 ]] || refuse "say how to sign: exactly one of keyless, key-env and kms"

topic="$(option TOPIC)"
via="$(option VIA)"
wait_for="$(option WAIT)"
gate="$(option GATE_URL)"
if [[ -n "$topic" && -z "$via" ]]; then
  arguments+=("--topic=$topic")
elif [[ -z "$topic" && "$via" == meta-data ]]; then
  arguments+=(--via=meta-data)
  [[ -z "$wait_for" ]] ||
    refuse "wait: an event in meta-data reaches the gate when the build has ended, so no step of it can wait for that"
else
  refuse "say where to: topic, or via: meta-data"
fi
if [[ -n "$wait_for" ]]; then
  [[ "$wait_for" == launch || "$wait_for" == completion ]] || refuse "wait: expected launch or completion"
  [[ -n "$gate" && -n "$audience" ]] || refuse "wait: say gate-url and audience too"
fi
console="$(option CONSOLE_URL)"
[[ -z "$console" ]] || arguments+=("--console-url=$console")

find_launchgate

echo "--- :key: launchgate emit"
if [[ -n "$key_variable" ]]; then
  event="$(LAUNCHGATE_SIGNING_KEY="${!key_variable}" "$launchgate" "${arguments[@]}")"
else
  event="$("$launchgate" "${arguments[@]}")"
fi
[[ "$event" =~ ^ev-[0-9a-f]{32}$ ]] || refuse "emit said no event id"
echo "$event"

if is_on ANNOTATE; then
  # shellcheck disable=SC2016 # Markdown's code, not the shell's.
  printf -v note 'launchgate: event `%s` published\n' "$event"
  [[ -z "$console" ]] || printf -v note 'launchgate: event [%s](%s) published\n' "$event" "${console%/}/events/$event"
  # Several steps of a build each add their line. A page without a note is no reason to fail a step.
  printf '%s\n' "$note" | buildkite-agent annotate --context launchgate/emit --style info --append ||
    echo "launchgate: the build could not be annotated"
fi

if [[ -n "$wait_for" ]]; then
  echo "--- :hourglass: launchgate wait"
  arguments=(wait "$event" "--for=$wait_for" "--gate-url=$gate" "--audience=$audience")
  timeout="$(option WAIT_TIMEOUT)"
  [[ -z "$timeout" ]] || arguments+=("--timeout=$timeout")
  "$launchgate" "${arguments[@]}"
fi
