#include "CMartletLinux.h"
