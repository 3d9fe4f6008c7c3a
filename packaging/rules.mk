# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Packages, and what they install beside the programs; included by the Makefile.

fill_in = sed -e 's|@prefix@|$(prefix)|' -e 's|@bindir@|$(prefix)/bin|' -e 's|@libdir@|$(libdir)|' \
	-e 's|@libexecdir@|$(libexecdir)|' -e 's|@version@|$(VERSION)|'

# What packages have beside what `make install` installs.
install-more:
	$(fill_in) packaging/start-emulator.in > "$(DESTDIR)$(libexecdir)/start-emulator"
	chmod 755 "$(DESTDIR)$(libexecdir)/start-emulator"

# For packages that give the helper a file capability: the service needs a copy without, because the
# program refuses requests by socket where its own file gives it privilege.
install-by-socket:
	$(INSTALL) -m 755 $(B)/basilisk-tap-helper "$(DESTDIR)$(helper_path)-by-socket"
	sed -i 's|basilisk-tap-helper --socket|basilisk-tap-helper-by-socket --socket|' \
		"$(DESTDIR)$(unitdir)/basilisk-tap@.service"

# For systems without diversions: start-emulator comes earlier in PATH than the emulators.
install-path:
	$(INSTALL) -d "$(DESTDIR)$(libexecdir)/bin" "$(DESTDIR)$(sysconfdir)/profile.d" \
		"$(DESTDIR)$(prefix)/lib/environment.d"
	for name in BasiliskII SheepShaver; do \
		ln -sf ../start-emulator "$(DESTDIR)$(libexecdir)/bin/$$name" || exit 1; \
	done
	$(fill_in) packaging/path/profile.sh.in > "$(DESTDIR)$(sysconfdir)/profile.d/basilisk-tap.sh"
	$(fill_in) packaging/path/environment.conf.in \
		> "$(DESTDIR)$(prefix)/lib/environment.d/60-basilisk-tap.conf"

# A copy of what is in the tree: packages are built in it, and nothing is made beside the sources.
SOURCE := basilisk-tap-$(VERSION)
source_copy = mkdir -p "$(1)" && { git ls-files -z 2>/dev/null || \
	find . -path ./build -prune -o -type f -print0; } | tar -c --null --ignore-failed-read -T - | \
	tar -x -C "$(1)"

#: make deb        build the Debian packages into build/deb, and let lintian judge them
deb:
	@packaging/deps.sh build deb
	@rm -rf $(B)/deb
	@$(call source_copy,$(B)/deb/$(SOURCE))
	$(Q)cp -r packaging/debian $(B)/deb/$(SOURCE)/debian
	$(Q)cd $(B)/deb/$(SOURCE) && MAKEFLAGS= dpkg-buildpackage -us -uc
	$(Q)cd $(B)/deb && lintian --allow-root --fail-on error,warning --info *.changes

#: make rpm        build the RPM packages into build/rpm, and let rpmlint look at them
rpm:
	@packaging/deps.sh build rpm
	@rm -rf $(B)/rpm
	@$(call source_copy,$(B)/rpm/$(SOURCE))
	$(Q)MAKEFLAGS= packaging/rpm/build $(B)/rpm $(SOURCE)
	$(Q)rpmlint --config packaging/rpm/rpmlint.toml $(B)/rpm/*.rpm

#: make arch       do what the Arch PKGBUILD does, without makepkg, into build/arch
arch:
	@packaging/deps.sh build
	@rm -rf $(B)/arch
	@$(call source_copy,$(B)/arch/$(SOURCE))
	$(Q)MAKEFLAGS= packaging/arch/try $(B)/arch $(SOURCE)

#: make check-packages   as root: install the packages into a fresh Debian, and use them there
check-packages:
	@packaging/deps.sh build demo deb rpm root
	@$(MAKE) --no-print-directory all $(ROM)
	@for kind in deb rpm arch; do \
		echo "packages: $$kind (build/$$kind.log)"; \
		DEB_BUILD_OPTIONS=nocheck $(MAKE) --no-print-directory $$kind >$(B)/$$kind.log 2>&1 || \
			{ cat $(B)/$$kind.log; exit 1; }; \
	done
	@tests/packages/make-root $(B)/debian-root
	@tests/run tests/packages/test_*.py

.PHONY: deb rpm arch install-more install-by-socket install-path check-packages
