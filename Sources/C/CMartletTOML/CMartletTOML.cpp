#include "CMartletTOML.h"
