# shellcheck shell=bash
# The step's options, out of the variables that the agent makes of them. Nothing is evaluated, split or globbed: a
# value is the text that stands in the pipeline file.

# The agent names variables after the last part of the plugin's address, and says that name.
prefix="BUILDKITE_PLUGIN_${BUILDKITE_PLUGIN_NAME:-LAUNCHGATE}"
if [[ ! "$prefix" =~ ^[A-Z][A-Z0-9_]*$ ]]; then
  echo "launchgate: the plugin's name makes no variable's name: $prefix" >&2
  exit 2
fi

# The value of option $1 (its variable's part), or nothing.
option() {
  local name="${prefix}_$1"
  printf '%s' "${!name:-}"
}

# Whether the boolean option $1 is on.
is_on() {
  case "$(option "$1")" in
    true | TRUE | True | 1 | yes | on) return 0 ;;
    *) return 1 ;;
  esac
}

# Fills `list` with the values of option $1, which may be one value or a list.
read_list() {
  local name="${prefix}_$1" index=0 item
  list=()
  if [[ -n "${!name:-}" ]]; then
    list=("${!name}")
  fi
  item="${name}_0"
  while [[ -n "${!item+set}" ]]; do
    list+=("${!item}")
    index=$((index + 1))
    item="${name}_${index}"
  done
}

# Ends the step: the pipeline file says something that cannot be done.
refuse() {
  echo "launchgate: $1" >&2
  exit 2
}
