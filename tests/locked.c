/* Tries to get at what lies in a directory, and says as JSON what became of each act. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *separator = "{";

static void tell(const char *name, int answer) {
  printf("%s\"%s\": \"%s\"", separator, name,
         answer >= 0 ? "done" : errno == EACCES ? "EACCES" : strerror(errno));
  separator = ", ";
}

int main(int count, char **arguments) {
  if (count != 2 || chdir(arguments[1]) != 0) return 2;
  tell("open", open("open", O_RDONLY));
  tell("open to write", open("write", O_WRONLY));
  tell("list", opendir(".") ? 0 : -1);
  tell("create", open("new", O_CREAT | O_WRONLY, 0600));
  tell("mkdir", mkdir("made", 0700));
  tell("rename", rename("rename", "renamed"));
  tell("link", link("link", "linked"));
  tell("truncate", truncate("truncate", 1));
  tell("unlink", unlink("unlink"));
  tell("rmdir", rmdir("empty"));
  puts("}");
  return 0;
}
