# Writes build/lint/keys/FILE for every file that is compiled: what clang-tidy's verdict on it depends on, that is
# the settings, its compile command, and the content of every one of our files it includes, however far away.
# Reads, one after another: lines "FILE:#include "..."", "SHA256  FILE", and those of compile_commands.json.

match($0, /:#include "/) {
  from = substr($0, 1, RSTART - 1)
  to = substr($0, RSTART + RLENGTH)
  sub(/".*/, "", to)
  includes[from] = includes[from] " " to
  next
}

/^[0-9a-f]+  / { hash[$2] = $1; next }

/^ *"command": / { command = $0; next }

/^ *"file": / {
  file = $2
  gsub(/[",]/, "", file)
  if (substr(file, 1, length(root)) != root) next
  file = substr(file, length(root) + 1)
  if (file in hash) commands[file] = command
}

# The public headers are included by the name an app uses.
function our_file(name) {
  if (name in hash) return name
  if (("client/include/" name) in hash) return "client/include/" name
  return ""
}

function add_closure(file, seen,    names, count, i, name) {
  if (file == "" || file in seen) return
  seen[file] = 1
  count = split(includes[file], names, " ")
  for (i = 1; i <= count; ++i) add_closure(our_file(names[i]), seen)
}

END {
  for (file in commands) {
    split("", seen)
    add_closure(file, seen)
    key = "build/lint/keys/" file
    folder = key
    sub(/\/[^\/]*$/, "", folder)
    if (!(folder in made)) system("mkdir -p '" folder "'")
    made[folder] = 1
    sorted = "sort > '" key "'"
    print settings "\n" commands[file] | sorted
    for (other in seen) print hash[other], other | sorted
    close(sorted)
  }
}
