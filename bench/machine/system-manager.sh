#!/bin/sh
# Makes the peer that boots as Debian does: the same packages and kernel, its own initial RAM disk, systemd as the first process.
# A service that is wanted by multi-user.target says a word through the agent's port; the benchmark waits for it. The service waits for the port,
# which is there when udev has loaded its driver: nothing else of the boot waits for that.
#
#     bench/machine/system-manager.sh [DATA-FOLDER]     needs root, mmdebstrap, mke2fs, qemu-img, lz4
set -eu
data=${1:-${OUBLIETTE_DATA:-${XDG_DATA_HOME:-$HOME/.local/share}/oubliette}}
target=$data/peers/system-manager
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target"

packages=ca-certificates,iproute2,procps,less,file,bzip2,xz-utils,unzip,curl,dash,bash,mawk
packages=$packages,systemd,systemd-sysv,udev,dbus,initramfs-tools,linux-image-cloud-amd64
mmdebstrap --variant=minbase --format=tar --include="$packages" bookworm "$work/root.tar" http://deb.debian.org/debian
mkdir "$work/root"
tar -C "$work/root" --numeric-owner -xf "$work/root.tar"
cat >"$work/root/etc/systemd/system/ready.service" <<'UNIT'
[Unit]
Description=Says that the machine is ready
BindsTo=dev-virtio\x2dports-oubliette.agent.device
After=basic.target dev-virtio\x2dports-oubliette.agent.device
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo ready >/dev/virtio-ports/oubliette.agent'
[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
ln -sf ../ready.service "$work/root/etc/systemd/system/multi-user.target.wants/ready.service"
echo '/dev/vda / ext4 defaults 0 1' >"$work/root/etc/fstab"

cp "$work"/root/boot/initrd.img-* "$target/initrd"
# The kernel as QEMU's direct start wants it: the LZ4 payload of the bzImage, at the place that its header names.
python3 - "$work"/root/boot/vmlinuz-* "$work/payload" <<'PYTHON'
import struct, sys
image = open(sys.argv[1], 'rb').read()
start = (image[0x1f1] + 1) * 512 + struct.unpack_from('<I', image, 0x248)[0]
length = struct.unpack_from('<I', image, 0x24c)[0]
open(sys.argv[2], 'wb').write(image[start:start + length - 4])
PYTHON
lz4 -qdcf "$work/payload" >"$target/vmlinux"
mke2fs -q -t ext4 -m 0 -L oubliette -E lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0 -d "$work/root" "$work/root.ext4" 16G
qemu-img convert -f raw -O qcow2 "$work/root.ext4" "$target/root.qcow2"
echo "made $target"
