# Turn a Debian host into one that has nothing but dnf, and a repository with the packages of the guide.
# What is not in that repository cannot be installed: it is the only one.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
here=/srv/rhel

mkdir -p /etc/postgresql-common /etc/rpm
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get -q -y update
# python3-venv: what the repository's python3 is the name of. The last line: SELinux's rules, and what reads and adds them.
apt-get -q -y install --no-install-recommends dnf rpm createrepo-c postgresql python3-venv \
    selinux-policy-default selinux-utils policycoreutils policycoreutils-python-utils

# Debian's rpm has a database for each user; everywhere else there is one.
printf '%%_dbpath /var/lib/rpm\n%%_rpmdir /srv/repository\n%%_sourcedir %s\n' $here >/etc/rpm/macros
rpmbuild -bb --quiet $here/guide.spec $here/postgresql.spec
createrepo_c -q /srv/repository
mkdir -p /etc/yum.repos.d
printf '[guide]\nname=guide\nbaseurl=file:///srv/repository\ngpgcheck=0\n' >/etc/yum.repos.d/guide.repo

# The server is the repository's from now on; the libraries that it needs stay.
apt-get -q -y purge 'postgresql*'
userdel postgres
mkdir /root/debian
mv /usr/bin/apt* /usr/bin/dpkg* /root/debian
