#!/usr/bin/env bash
# The container program that fakecloud runs for its functions. It hands its command
# line, and the credentials that come by environment, to the function host.
set -u
exec 3<>"/dev/tcp/127.0.0.1/@PORT@" || exit 125
{
    printf '%s\0' "$#" "$@"
    printf '%s\0' "${AWS_ACCESS_KEY_ID-}" "${AWS_SECRET_ACCESS_KEY-}" "${AWS_SESSION_TOKEN-}"
} >&3
IFS= read -r status <&3 || exit 125
cat <&3
exit "$status"
