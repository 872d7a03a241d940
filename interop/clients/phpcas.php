<?php
// An application on phpCAS: `php -S` runs this script for every request. See README.md for what it answers.

require_once 'CAS/CAS.php';

$versions = [
    'CAS 1' => CAS_VERSION_1_0,
    'CAS 2' => CAS_VERSION_2_0,
    'CAS 3' => CAS_VERSION_3_0,
    'SAML 1.1' => SAML_VERSION_1_1,
];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$cas = parse_url(getenv('CAS_URL'));
session_save_path(getenv('APP_FOLDER'));
// As behind a proxy that takes the TLS off.
$_SERVER['HTTPS'] = 'on';

// One page acts as a proxy, with a session of its own: whoever is in at the others has no proxy-granting ticket.
$is_proxy = in_array($path, ['/proxy', '/callback']);
session_name($is_proxy ? 'proxy' : 'app');
$kind = $is_proxy ? 'proxy' : 'client';
phpCAS::$kind($versions[getenv('CAS_PROTOCOL')], $cas['host'], $cas['port'], $cas['path'], getenv('APP_URL'));
if ($is_proxy) {
    phpCAS::setFixedCallbackURL(getenv('APP_CALLBACK'));
    phpCAS::setPGTStorageFile(getenv('APP_FOLDER'));
}
phpCAS::setNoCasServerValidation();
// It knows CAS servers behind https only; the server of the tests is on loopback without.
$server = new ReflectionProperty('CAS_Client', '_server');
$server->setAccessible(true);
$client = phpCAS::getCasClient();
$server->setValue($client, ['base_url' => getenv('CAS_URL') . '/'] + $server->getValue($client));

phpCAS::handleLogoutRequests(false);

$inside = true;
switch ($path) {
    case '/logout':
        phpCAS::logout();
        break;
    case '/gateway':
        $inside = phpCAS::checkAuthentication();
        break;
    case '/renew':
        phpCAS::renewAuthentication();
        break;
    default:
        phpCAS::forceAuthentication();
}

header('Content-Type: application/json');
if ($path === '/proxy') {
    $ticket = phpCAS::retrievePT($_GET['target'], $code, $message);
    echo json_encode(['ticket' => $ticket, 'message' => $message]);
} else {
    echo json_encode([
        'user' => $inside ? phpCAS::getUser() : null,
        'attributes' => $inside && phpCAS::hasAttributes() ? phpCAS::getAttributes() : [],
    ]);
}
