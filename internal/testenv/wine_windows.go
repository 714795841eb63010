package testenv

import "golang.org/x/sys/windows"

// Wine says whether this is Wine rather than Windows. Only where Wine differs
// from what it stands for may a test ask.
func Wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
