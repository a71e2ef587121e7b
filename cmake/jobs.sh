#!/usr/bin/env bash
# How many compilers may run at once here: as many as there are threads, while each has 2 GB of memory, and at least one.
kilobytes=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
for limit in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do  # of a container
  bytes=$(cat "$limit" 2>/dev/null) || continue
  case $bytes in *[!0-9]* | '') continue ;; esac
  if [ "$((bytes / 1024))" -lt "$kilobytes" ]; then kilobytes=$((bytes / 1024)); fi
done
jobs=$((kilobytes / 2000000))
[ "$jobs" -le "$(nproc)" ] || jobs=$(nproc)
[ "$jobs" -ge 1 ] || jobs=1
echo "$jobs"
