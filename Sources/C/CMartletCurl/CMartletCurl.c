#include "CMartletCurl.h"
