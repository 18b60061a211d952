# An image with what this machine has of some Debian packages and all that they depend on, and of STAGE/root.
# usage: sh stand_in.sh IMAGE KEY STAGE PACKAGES CHANGES [ARGUMENT OF TAR...]
set -eu
image=$1 key=$2 stage=$3 packages=$4 changes=$5
shift 5

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
  # Not in the packages: what makes `/bin` and its like links, `cc` a compiler, and what is made when they are installed.
  printf '%s\n' /bin /lib /lib64 /sbin /usr/bin/cc /etc/alternatives/cc /etc/ssl/certs/ca-certificates.crt /etc/ld.so.cache /etc/ld.so.conf
} | sed 's,^/*,,' | sort -u >"$stage/files"

mkdir -p "$stage/root/tmp"
chmod 1777 "$stage/root/tmp"
tar --create --file=- --ignore-failed-read --sort=name --owner=0 --group=0 --numeric-owner \
  "$@" --directory="$stage/root" . --directory=/ --no-recursion --files-from="$stage/files" |
  docker import --change "LABEL api-platform.stand-in=true api-platform.stand-in.key=$key
$changes" - "$image"
