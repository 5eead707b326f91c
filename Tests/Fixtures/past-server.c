// A small server on a data directory, as a database is one. For the tests of `asof start`, which compile it.
//
//   past-server PORT [never-ready] [stubborn] [fork]
//
// GET /v1/.well-known/ready: 200 from the third time on, 503 before (and always, when never-ready). GET /read/NAME and /write/NAME/TEXT: a file of
// $PERSISTENCE_DATA_PATH. GET /environment, /host. GET /reach/PORT: whether 127.0.0.1:PORT answers it. SIGTERM ends it with 0, unless it is stubborn;
// with fork a child of it sleeps on in a session of its own.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;
static char body[1 << 20];

static void end(int signal) {
    (void)signal;
    int file = open("ended", O_WRONLY | O_CREAT, 0600);
    if (file >= 0) close(file);
    _exit(0);
}

static int make(int port, int listening) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listening ? bind(made, (struct sockaddr *)&address, sizeof address) || listen(made, 16) : connect(made, (struct sockaddr *)&address, sizeof address)) {
        close(made);
        return -1;
    }
    return made;
}

static int answer(char *path, int never_ready) {
    static int asked;
    body[0] = 0;
    if (!strcmp(path, "/v1/.well-known/ready")) return !never_ready && ++asked > 2 ? 200 : 503;
    if (!strcmp(path, "/host")) return gethostname(body, sizeof body), 200;
    if (!strcmp(path, "/environment")) {
        for (char **next = environ; *next; next++) strcat(strcat(body, *next), "\n");
        return 200;
    }
    if (!strncmp(path, "/reach/", 7)) {
        int there = make(atoi(path + 7), 0);
        strcpy(body, there < 0 ? "no" : "yes");
        if (there >= 0) close(there);
        return 200;
    }
    int writing = !strncmp(path, "/write/", 7);
    if (!writing && strncmp(path, "/read/", 6)) return 404;
    char *name = path + (writing ? 7 : 6), *text = writing ? strchr(name, '/') : NULL, whole[4096];
    if (text) *text++ = 0;
    snprintf(whole, sizeof whole, "%s/%s", getenv("PERSISTENCE_DATA_PATH"), name);
    int file = open(whole, writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0600);
    if (file < 0) return 404;
    long count = writing ? write(file, text, strlen(text)) : read(file, body, sizeof body - 1);
    if (writing ? fsync(file) : (body[count < 0 ? 0 : count] = 0)) count = -1;
    close(file);
    return count < 0 ? 500 : 200;
}

int main(int count, char **arguments) {
    int never_ready = 0;
    if (count < 2) return 2;
    signal(SIGTERM, end);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 2; i < count; i++) {
        if (!strcmp(arguments[i], "never-ready")) never_ready = 1;
        if (!strcmp(arguments[i], "stubborn")) signal(SIGTERM, SIG_IGN);
        if (!strcmp(arguments[i], "fork") && fork() == 0) {
            setsid();
            signal(SIGTERM, SIG_IGN);
            sleep(600);
            _exit(0);
        }
    }
    int listener = make(atoi(arguments[1]), 1);
    if (listener < 0) return 3;
    puts("the server speaks");
    fflush(stdout);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        char request[8192], path[8192], head[200];
        long length = 0, more = 1;
        while (more > 0 && !memmem(request, (size_t)length, "\r\n\r\n", 4) && length < (long)sizeof request - 1) {
            more = read(client, request + length, sizeof request - 1 - (size_t)length);
            if (more > 0) length += more;
        }
        request[length] = 0;
        int code = sscanf(request, "GET %8000s", path) == 1 ? answer(path, never_ready) : 400;
        int size = snprintf(head, sizeof head, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", code, strlen(body));
        if (write(client, head, (size_t)size) < 0 || write(client, body, strlen(body)) < 0) perror("write");
        close(client);
    }
}
