// Does what it is told, so often, beneath a directory: with os.Root or with plain os.
// A line asks ("root read 200 d/d/d/f"), and a line answers with the size that was found.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

var buffer = make([]byte, 1<<16)

func main() {
	top := os.Args[1]
	root, err := os.OpenRoot(top)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	defer root.Close()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var how, word, path string
		var calls int
		if _, err := fmt.Sscan(lines.Text(), &how, &word, &calls, &path); err != nil {
			fmt.Println("error", err)
			continue
		}
		open := func() (*os.File, error) { return os.Open(top + "/" + path) }
		stat := func() (os.FileInfo, error) { return os.Stat(top + "/" + path) }
		if how == "root" {
			open = func() (*os.File, error) { return root.Open(path) }
			stat = func() (os.FileInfo, error) { return root.Stat(path) }
		}
		size, err := repeat(word, calls, open, stat)
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		fmt.Println(size)
	}
}

func repeat(word string, calls int, open func() (*os.File, error), stat func() (os.FileInfo, error)) (int64, error) {
	var size int64
	for range calls {
		if word == "stat" {
			info, err := stat()
			if err != nil {
				return 0, err
			}
			size = info.Size()
			continue
		}
		file, err := open()
		if err != nil {
			return 0, err
		}
		if word == "read" {
			read, err := file.Read(buffer)
			if err != nil && err != io.EOF {
				return 0, err
			}
			size = int64(read)
		}
		if err := file.Close(); err != nil {
			return 0, err
		}
	}
	return size, nil
}
