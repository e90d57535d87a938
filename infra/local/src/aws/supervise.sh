# Runs a program that ends with the pipe on standard input, whatever it does itself.
#   $1 file for its process id, $2 file for its exit status, then the program
# The launcher made this shell the leader of a process group: everything in it goes together.
pid_file=$1
status_file=$2
shift 2
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
echo "$child" >"$pid_file"
(
    cat <&3
    kill -9 -$$
) >/dev/null 2>&1 &
wait "$child"
echo "$?" >"$status_file"
kill -9 -$$
