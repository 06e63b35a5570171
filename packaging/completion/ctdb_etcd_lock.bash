# Completion of ctdb_etcd_lock's commands and options for bash. A test compares it with src/commands/options.ts.

_ctdb_etcd_lock() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= at options
  if [[ $before == -c || $before == --config ]]; then
    # shellcheck disable=SC2207 # file names: compopt lets readline quote them
    COMPREPLY=($(compgen -f -- "$word"))
    compopt -o filenames 2>/dev/null
    return
  fi
  if [[ $before == --name || $before == --cluster-id ]]; then
    COMPREPLY=()
    return
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      -c | --config | --name | --cluster-id) ((at++)) ;;
      check | status | release) command=${COMP_WORDS[at]} ;;
    esac
  done
  case $command in
    check) options='--config --name --cluster-id --json --plugin --timeout --help' ;;
    status) options='--config --name --cluster-id --json --openmetrics --watch --help' ;;
    release) options='--config --name --cluster-id --force --help' ;;
    *) options='check status release --config --name --cluster-id --verbose --help --version' ;;
  esac
  # shellcheck disable=SC2207 # words without spaces
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -F _ctdb_etcd_lock ctdb_etcd_lock
