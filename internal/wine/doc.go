// Package wine tests the Windows build as people and tools meet it: the
// released program, in processes under Wine, against the scripted provider of
// pkg/oidcflow/oidctest outside of it. tools/windows makes the Wine prefix and
// runs the tests.
package wine
