#!/bin/sh
# A stand-in for buildkite-agent: `oidc request-token`, `meta-data set|get|exists` and `annotate`, as the agent takes
# them, and nothing else. Needs sh, sed, awk and curl.
set -eu
api='@API@' access='@ACCESS@'

die() { echo "fatal: $*" >&2; exit 1; }

# Text on stdin as a JSON text.
quoted() {
  printf '"'
  sed 's/\\/\\\\/g; s/"/\\"/g; s/	/\\t/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
  printf '"'
}

# The value of a text member $1 of the answer on stdin; a line end in it stays written as \n.
member() { sed 's/.*"'"$1"'":"\(\([^"\\]\|\\.\)*\)".*/\1/; s/\\\(["\\]\)/\1/g'; }

# $1: path below the job; $2: the body; sets status and answer.
post() {
  # On stdin and not as an argument: a value may be as long as no argument can be.
  answer=$(printf %s "$2" | curl -sS -w '\n%{http_code}' -X POST -H "Authorization: Token $access" \
    -H 'Content-Type: application/json' --data-binary @- "$api/$1") || die "no answer"
  status=$(printf '%s\n' "$answer" | tail -n 1)
  answer=$(printf '%s\n' "$answer" | sed '$d')
}

request_token() {
  audience='' lifetime=0 claims=''
  while [ $# -gt 0 ]; do
    case "$1" in
      --audience) audience=$2 ;;
      --lifetime) lifetime=$2 ;;
      --claim) claims=$2 ;;
      *) die "flag provided but not defined: $1" ;;
    esac
    shift 2
  done
  list=$(printf %s "$claims" | sed 's/[^,][^,]*/"&"/g')
  post oidc/tokens "{\"audience\":$(printf %s "$audience" | quoted),\"lifetime\":$lifetime,\"claims\":[$list]}"
  [ "$status" = 200 ] || die "$answer"
  printf '%s\n' "$answer" | member token
}

meta_data() {
  action=$1
  shift
  key='' value='' named=0 default='' has_default=0
  while [ $# -gt 0 ]; do
    case "$1" in
      --default) [ "$action" = get ] || die "flag provided but not defined: $1"; default=$2 has_default=1; shift 2 ;;
      -*) die "flag provided but not defined: $1" ;;
      *)
        if [ $named = 0 ]; then key=$1; else value=$1; fi
        named=$((named + 1))
        shift
        ;;
    esac
  done
  [ -n "$key" ] || die "Missing meta-data key"
  wanted=$(printf %s "$key" | quoted)
  case $action in
    set)
      if [ $named = 1 ]; then value=$(quoted); else value=$(printf %s "$value" | quoted); fi
      post data/set "{\"key\":$wanted,\"value\":$value}"
      [ "$status" = 200 ] || die "Failed to set meta-data: $answer"
      ;;
    get)
      post data/get "{\"key\":$wanted}"
      if [ "$status" = 404 ] && [ $has_default = 1 ]; then printf %s "$default"; return; fi
      [ "$status" = 200 ] || die "Failed to get meta-data: $answer"
      printf %s "$answer" | member value | awk 'NR > 1 { printf "\n" } { printf "%s", $0 }'
      ;;
    exists)
      post data/exists "{\"key\":$wanted}"
      [ "$status" = 200 ] || die "Failed to see if meta-data exists: $answer"
      case $answer in *true*) ;; *) exit 100 ;; esac
      ;;
    *) die "unknown command: meta-data $action" ;;
  esac
}

annotate() {
  body='' named=0 context='' style='' append=false
  while [ $# -gt 0 ]; do
    case "$1" in
      --context) context=$2; shift 2 ;;
      --style) style=$2; shift 2 ;;
      --append) append=true; shift ;;
      -*) die "flag provided but not defined: $1" ;;
      *) body=$1 named=1; shift ;;
    esac
  done
  if [ $named = 0 ]; then body=$(quoted); else body=$(printf %s "$body" | quoted); fi
  context=$(printf %s "${context:-default}" | quoted) style=$(printf %s "${style:-info}" | quoted)
  post annotations "{\"body\":$body,\"context\":$context,\"style\":$style,\"append\":$append}"
  [ "$status" = 201 ] || die "Failed to annotate build: $answer"
}

command="${1-} ${2-}"
case $command in
  'oidc request-token') shift 2; request_token "$@" ;;
  meta-data\ *) shift; meta_data "$@" ;;
  annotate\ *) shift; annotate "$@" ;;
  *) echo "unknown command: $*" >&2; exit 1 ;;
esac
