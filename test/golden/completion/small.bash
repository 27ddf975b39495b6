# Completion of small for bash, written by `small completion bash`.
_small() {
  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
  local path="small" word words="" options="" files=0
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      "small token"|"small apply") path="$path $word" ;;
      "small token create"|"small token list") path="$path $word" ;;
    esac
  done
  case "$before" in
    --file|--state|--ttl|-f) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$path" in
    "small") words="token apply" options="--state -h --help" files=0 ;;
    "small token") words="create list" options="-h --help --state" files=0 ;;
    "small token create") words="" options="--ttl -h --help --state" files=0 ;;
    "small token list") words="" options="-h --help --state" files=0 ;;
    "small apply") words="" options="-f --file --dry-run -h --help --state" files=1 ;;
  esac
  if [[ "$current" == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [[ -n "$words" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  elif [[ "$files" == 1 ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _small small
