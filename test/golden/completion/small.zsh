#compdef small
# Completion of small for zsh, written by `small completion zsh`.
_small() {
  local context state line
  local -a commands=(
    'token:tokens, \[all\]\: of them'
    'apply:.files that hold '\''documents'\'''
  )
  _arguments -C '*--state[where it'\''s kept]:value:_files' \
    '*--help[display help for command]' \
    '*-h[display help for command]' \
    '1:command:->command' \
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument) case $line[1] in
      token) _small_token ;;
      apply) _small_apply ;;
    esac ;;
  esac
}
_small_token() {
  local context state line
  local -a commands=(
    'create:make one'
    'list:show them'
  )
  _arguments -C '*--help[display help for command]' \
    '*-h[display help for command]' \
    '*--state[where it'\''s kept]:value:_files' \
    '1:command:->command' \
    '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument) case $line[1] in
      create) _small_token_create ;;
      list) _small_token_list ;;
    esac ;;
  esac
}
_small_token_create() {
  _arguments '*--ttl[how long]:value: ' \
    '*--help[display help for command]' \
    '*-h[display help for command]' \
    '*--state[where it'\''s kept]:value:_files' \
    '*:\[name\]: '
}
_small_token_list() {
  _arguments '*--help[display help for command]' \
    '*-h[display help for command]' \
    '*--state[where it'\''s kept]:value:_files'
}
_small_apply() {
  _arguments '*--file[one more; - for none]:value:_files' \
    '*-f[one more; - for none]:value:_files' \
    '*--dry-run[only look]' \
    '*--help[display help for command]' \
    '*-h[display help for command]' \
    '*--state[where it'\''s kept]:value:_files' \
    '*:<file>:_files'
}
if [ "$funcstack[1]" = "_small" ]; then
  _small "$@"
else
  compdef _small small
fi
