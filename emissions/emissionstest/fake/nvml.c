/* A stand-in for NVIDIA's management library: cards of constant power, as a
 * file says that is read anew at every call. Compiled by the tests with
 * -DSTATE="\"path\"". A line a card: name|uuid|watts|counter|mig|lost|pid,pid
 * where counter 0 is a card before Volta, and lost 1 one off the bus.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
enum { MAX_CARDS = 16, FIRST = 0x1000 };

struct card {
	char name[96], uuid[96], pids[256];
	double watts;
	int counter, mig, lost;
};

struct process {
	unsigned pid;
	unsigned long long memory;
	unsigned gpu_instance, compute_instance;
};

static int initialised;

static int load(struct card *cards) {
	FILE *f = fopen(STATE, "r");
	int n = 0;
	char line[1024];
	if (!f)
		return -1;
	while (n < MAX_CARDS && fgets(line, sizeof line, f)) {
		struct card *c = &cards[n];
		memset(c, 0, sizeof *c);
		if (sscanf(line, "%95[^|]|%95[^|]|%lf|%d|%d|%d|%255[0-9,]", c->name, c->uuid, &c->watts, &c->counter, &c->mig, &c->lost, c->pids) >= 6)
			n++;
	}
	fclose(f);
	return n;
}

/* find aborts on a handle that it never gave, as the real library crashes. */
static int find(void *handle, struct card *c) {
	struct card cards[MAX_CARDS];
	int n, i = (int)((size_t)handle - FIRST);
	if (!handle)
		abort();
	if (!initialised)
		return NOT_INITIALIZED;
	n = load(cards);
	if (i < 0 || i >= n)
		return INVALID_ARGUMENT;
	*c = cards[i];
	return c->lost ? GPU_IS_LOST : SUCCESS;
}

int nvmlInit_v2(void) {
	struct card cards[MAX_CARDS];
	if (load(cards) < 0)
		return 9; /* NVML_ERROR_DRIVER_NOT_LOADED */
	initialised++;
	return SUCCESS;
}

int nvmlShutdown(void) {
	initialised--;
	return SUCCESS;
}

const char *nvmlErrorString(int code) {
	switch (code) {
	case NOT_SUPPORTED: return "Not Supported";
	case 9: return "Driver Not Loaded";
	case GPU_IS_LOST: return "GPU is lost";
	}
	return "Unknown Error";
}

int nvmlDeviceGetCount_v2(unsigned *n) {
	struct card cards[MAX_CARDS];
	*n = (unsigned)load(cards);
	return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **handle) {
	*handle = (void *)(size_t)(FIRST + i);
	return SUCCESS;
}

static int copy(char *to, unsigned size, const char *from) {
	if (strlen(from) >= size)
		return INSUFFICIENT_SIZE;
	strcpy(to, from);
	return SUCCESS;
}

int nvmlDeviceGetName(void *h, char *text, unsigned size) {
	struct card c;
	int code = find(h, &c);
	return code ? code : copy(text, size, c.name);
}

int nvmlDeviceGetUUID(void *h, char *text, unsigned size) {
	struct card c;
	int code = find(h, &c);
	return code ? code : copy(text, size, c.uuid);
}

int nvmlDeviceGetPowerUsage(void *h, unsigned *mW) {
	struct card c;
	int code = find(h, &c);
	if (!code)
		*mW = (unsigned)(c.watts * 1000);
	return code;
}

int nvmlDeviceGetTotalEnergyConsumption(void *h, unsigned long long *mJ) {
	struct card c;
	struct timespec now;
	int code = find(h, &c);
	if (code)
		return code;
	if (!c.counter)
		return NOT_SUPPORTED;
	clock_gettime(CLOCK_MONOTONIC, &now);
	*mJ = (unsigned long long)(c.watts * 1000 * ((double)now.tv_sec + now.tv_nsec / 1e9));
	return SUCCESS;
}

int nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) {
	struct card c;
	int code = find(h, &c);
	if (!code)
		*current = *pending = (unsigned)c.mig;
	return code;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, struct process *infos) {
	struct card c;
	unsigned room = *n, found = 0;
	char *pid;
	int code = find(h, &c);
	if (code)
		return code;
	for (pid = strtok(c.pids, ","); pid; pid = strtok(NULL, ",")) {
		if (found < room) {
			memset(&infos[found], 0, sizeof *infos);
			infos[found].pid = (unsigned)atoi(pid);
		}
		found++;
	}
	*n = found;
	return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}
