# shellcheck shell=bash disable=SC2154
# The steps of ./dev demo: a server and its devices, run by the real programs. Sourced by demo.sh, which sets data,
# hold_out, rounds and port.

home=demo-home
server=build/bin/fl-server
client=build/bin/fl-client
local_epochs=2
server_process=
device_processes=()

# Ends the server, then the devices; gently, and after ten seconds not.
stop_everything() {
  local process
  for process in $server_process "${device_processes[@]}"; do
    kill -TERM "$process" 2>/dev/null || true
  done
  for process in $server_process "${device_processes[@]}"; do
    timeout 10 tail --pid="$process" -f /dev/null || kill -KILL "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  server_process=
  device_processes=()
}

make_up_people() {
  data=$home/data
  hold_out=p07,p08,p09
  "$client" demo-data "$data" --people 6 --testers 3 >"$home/logs/data.log"
  choose_people
}

# Fills `people` (one device each) and `testers` (who are tested on) and finds their recordings.
choose_people() {
  local all name
  mapfile -t all < <(names_of_people)
  ((${#all[@]} > 1)) || fail "$data holds no recordings of two people or more in the form DATA/PERSON/PERSON_NN_sp.csv"
  [ -n "$hold_out" ] || hold_out=$(printf '%s,' "${all[@]: -(${#all[@]} + 3) / 4}")
  IFS=, read -ra testers <<<"$hold_out"
  for name in "${testers[@]}"; do
    [[ " ${all[*]} " == *" $name "* ]] || fail "--hold-out: there is nobody called '$name'; there are ${all[*]}"
  done
  people=()
  for name in "${all[@]}"; do
    [[ " ${testers[*]} " == *" $name "* ]] || people+=("$name")
  done
  ((${#people[@]})) || fail "--hold-out leaves nobody to learn from"
  mapfile -t test_files < <(for name in "${testers[@]}"; do recordings_of "$name"; done)
  say "${#people[@]} devices, one for each of ${people[*]}; tested on ${testers[*]}, who take no part"
}

names_of_people() {
  local folder
  for folder in "$data"/DATA/*/; do
    folder=${folder%/}
    compgen -G "$folder/*_sp.csv" >/dev/null && printf '%s\n' "${folder##*/}"
  done
}

recordings_of() { printf '%s\n' "$data/DATA/$1"/*_sp.csv; }

make_server() {
  cat >"$home/motion.ini" <<INI
# The task: recognise an activity from 2.5 seconds of a phone's accelerometer and gyroscope.
architecture = cnn1d
labels = SEATED,STANDING_UP,WALKING,TURNING,SITTING_DOWN

[data]
format = windows
columns = x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro
label = label
window = 50
step = 25
# The accelerometer in multiples of gravity: 1 / 9.81
scale = 0.1019367991845056,0.1019367991845056,0.1019367991845056,1,1,1

[train]
optimizer = sgd
learning-rate = 0.05
batch-size = 16
epochs = $local_epochs

[round]
strategy = fedavg
rounds = $rounds
goal = ${#people[@]}
minimum = ${#people[@]}
INI
  "$server" init "$home/server" --listen "127.0.0.1:$port" --host 127.0.0.1 --metrics off >"$home/logs/init.log"
  "$server" task add "$home/server" motion --config "$home/motion.ini" >>"$home/logs/init.log"
}

start_server() {
  "$server" run "$home/server" >"$home/logs/server.out" 2>"$home/logs/server.log" &
  server_process=$!
  until grep -q '^listening on' "$home/logs/server.out"; do
    kill -0 "$server_process" 2>/dev/null || fail "the server did not start: $(tail -n 1 "$home/logs/server.log")"
    sleep 0.1
  done
  say "fl-server $(head -n 1 "$home/logs/server.out"), process $server_process"
}

# Each device enrols with a token of its own, takes in its person's recordings, and begins to run.
start_devices() {
  local tokens name index=0
  mapfile -t tokens < <("$server" token "$home/server" --count "${#people[@]}")
  for name in "${people[@]}"; do
    prepare_device "$name" "${tokens[index]}" || fail "device $name could not be set up: $(tail -n 1 "$home/logs/$name.log")"
    "$client" run "$home/devices/$name" >>"$home/logs/$name.log" 2>&1 &
    device_processes+=($!)
    index=$((index + 1))
    say "fl-client for $name, process $!, has $(imported_by "$name") of its own"
  done
}

prepare_device() {
  local files
  mapfile -t files < <(recordings_of "$1")
  "$client" enroll "$home/devices/$1" --token "$2" --name "$1" >"$home/logs/$1.log" 2>&1 &&
    "$client" import "$home/devices/$1" "${files[@]}" >>"$home/logs/$1.log" 2>&1
}

imported_by() { sed -n 's/^imported \([0-9]* [a-z]*\) .*/\1/p' "$home/logs/$1.log"; }

follow_rounds() {
  say ""
  say "Accuracy on ${testers[*]} after each round; version 1 is untrained:"
  "$server" evaluate "$home/server" motion --data "${test_files[@]}" --follow --until-round "$rounds" --timeout 1800 |
    tee "$home/rounds.txt" || fail "the rounds did not end well; see $home/logs/server.log"
  say ""
  say "Stopping the server and the devices."
}

# What each person's device would have without the others: as many passes over its own data as in all rounds.
compare_with_training_alone() {
  local name
  say "Training alone for comparison, $((rounds * local_epochs)) epochs on each device's own examples:"
  for name in "${people[@]}"; do
    "$client" baseline "$home/devices/$name" --epochs $((rounds * local_epochs)) --data "${test_files[@]}" --json \
      >"$home/logs/$name.alone" 2>>"$home/logs/$name.log" || fail "training alone failed on $name: $(tail -n 1 "$home/logs/$name.log")"
    say "  $name alone: $(alone_of "$name")"
  done
}

# The accuracy that round N ended with; of the untrained version for "-".
accuracy_after() { awk -v round="$1" '$2 == round { print $5 }' "$home/rounds.txt"; }

# On the testers' files, which come first.
alone_of() { grep -o '"alone":[^,}]*' "$home/logs/$1.alone" | head -n 1 | awk -F: '{ printf "%.4f\n", $2 }'; }

predict_offline() {
  local files
  mapfile -t files < <(recordings_of "${testers[0]}")
  say ""
  say "With no server running, the device of ${people[0]} predicts for ${testers[0]}:"
  "$client" predict "$home/devices/${people[0]}" "${files[@]}" --output "$home/answers.csv"
}

mean_alone() {
  local name
  for name in "${people[@]}"; do alone_of "$name"; done |
    awk '{ sum += $1; if (NR == 1 || $1 < low) low = $1; if ($1 > high) high = $1 }
         END { printf "%.4f  mean of %d devices, from %.4f to %.4f", sum / NR, NR, low, high }'
}

say_what_happened() {
  cat <<SUMMARY

Accuracy on ${testers[*]}, who took no part:
  untrained                 $(accuracy_after -)
  federated, round 1        $(accuracy_after 1)
  federated, round $(printf '%-3d' "$rounds")      $(accuracy_after "$rounds")
  each device alone         $(mean_alone)

Where it lies: $home/server, $home/devices/NAME, $home/logs, $home/rounds.txt, $home/answers.csv
Next, for example:
  $client status $home/devices/${people[0]}
  $server rounds $home/server motion
  $server export $home/server motion --output motion.pt
  ./dev demo --rounds 30
SUMMARY
}
