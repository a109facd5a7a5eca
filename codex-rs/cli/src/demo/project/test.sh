#!/bin/sh
# Runs every case; exits 1 if one of them is wrong.
wrong=0
check() {
    said=$(sh duration.sh "$1" 2>&1)
    if [ "$said" = "$2" ]; then
        echo "ok    $1 -> $2"
    else
        echo "WRONG $1 -> $said instead of $2"
        wrong=1
    fi
}
check 0 "0s"
check 45 "45s"
exit $wrong
