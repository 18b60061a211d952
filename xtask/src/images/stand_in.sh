# An image with this machine's Debian, Rust and crates, under the name of the official one that cannot be had here.
# usage: sh stand_in.sh IMAGE KEY STAGE SYSROOT
set -eu
image=$1 key=$2 stage=$3 sysroot=$4

# What a static build needs of Debian, with all that it depends on.
packages='ca-certificates coreutils dash findutils gcc libc6-dev tzdata'
# shellcheck disable=SC2086
apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances $packages | grep '^[a-z0-9]' | sort -u >"$stage/packages"
xargs dpkg-query --listfiles <"$stage/packages" |
  grep -v -e '^/usr/share/\(doc\|man\|locale\|info\|lintian\|perl\)' -e '^/usr/lib/.*/perl' -e '^/etc/' |
  sort -u >"$stage/listed"
# `/bin` and its like are links into `/usr`: one name for each file, or the links would be replaced by folders.
{
  while IFS= read -r file; do
    if [ -L "$file" ] || [ -f "$file" ]; then echo "$(realpath "${file%/*}/")/${file##*/}"; fi
  done <"$stage/listed"
  printf '%s\n' /bin /lib /lib64 /sbin /usr/bin/cc /etc/alternatives/cc /etc/ssl/certs/ca-certificates.crt /etc/ld.so.cache /etc/ld.so.conf
} | sed 's,^/*,,' | sort -u >"$stage/files"

rust=${sysroot##*/}
mkdir -p "$stage/root/tmp"
chmod 1777 "$stage/root/tmp"
tar --create --file=- --ignore-failed-read --sort=name --owner=0 --group=0 --numeric-owner \
  --exclude='*/vendor/winapi-*-windows-gnu*/lib/*' --exclude='*/vendor/windows_*/lib/*' \
  --exclude='*/librustc-stable_rt.*' --transform="s,^$rust/,usr/local/,S" \
  --directory=/ --no-recursion --files-from="$stage/files" \
  --recursion --directory="${sysroot%/*}" "$rust/bin/cargo" "$rust/bin/rustc" "$rust/lib" \
  --directory="$stage/root" usr tmp |
  docker import --change 'ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/bin:/usr/bin:/bin' \
    --change "LABEL api-platform.stand-in=true api-platform.stand-in.key=$key" - "$image"
