# Completion of small for fish, written by `small completion fish`.
function __small_at
    set -l words (commandline -opc)
    set -l path $words[1]
    for word in $words[2..-1]
        string match -q -- '-*' $word; and continue
        contains -- "$path $word" 'small token' 'small token create' 'small token list' 'small apply'; and set path "$path $word"
    end
    test "$path" = "$argv[1]"
end
complete -c small -f
complete -c small -n 'true' -l state -r -F -d 'where it\'s kept'
complete -c small -n 'true' -s h -l help -d 'display help for command'
complete -c small -f -n '__small_at "small"' -a token -d 'tokens, [all]: of them'
complete -c small -f -n '__small_at "small"' -a apply -d '.files that hold \'documents\''
complete -c small -f -n '__small_at "small token"' -a create -d 'make one'
complete -c small -f -n '__small_at "small token"' -a list -d 'show them'
complete -c small -n '__small_at "small token"' -s h -l help -d 'display help for command'
complete -c small -n '__small_at "small token create"' -l ttl -x -d 'how long'
complete -c small -n '__small_at "small token create"' -s h -l help -d 'display help for command'
complete -c small -n '__small_at "small token list"' -s h -l help -d 'display help for command'
complete -c small -n '__small_at "small apply"' -s f -l file -r -F -d 'one more; - for none'
complete -c small -n '__small_at "small apply"' -l dry-run -d 'only look'
complete -c small -n '__small_at "small apply"' -s h -l help -d 'display help for command'
complete -c small -n '__small_at "small apply"' -F
